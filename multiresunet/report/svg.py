"""Line charts and dot plots as SVG: sharp on paper, small, and in the colours of the page around them.

Colours are CSS variables, so that a chart inside the page follows its theme; `standalone` gives them values for a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType

WIDTH, HEIGHT = 340, 230
DOTS_WIDTH = 440  # on a phone the letters are still read
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 36
LETTER = 6.2  # width of a letter, about
LONGEST = 20  # letters of a row's name in a line

LIGHT = {"ink": "#1c1c1e", "paper": "#ffffff", "soft": "#62626a", "line": "#e3e3e8"}
DARK = {"ink": "#ececf0", "paper": "#161619", "soft": "#a2a2ac", "line": "#34343b"}


@dataclass(frozen=True)
class Line:
    """A curve: points (x, y), a CSS colour, a name for tooltip and legend.

    thin: it stays in the background, without a place in the legend. dashed: no network's.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    thin: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A value with an interval, in one of the rows of a dot plot."""

    row: str
    name: str
    value: float
    low: float
    high: float
    colour: str
    hollow: bool = False


@dataclass(frozen=True)
class Axis:
    """A title and limits; ticks are found if none are given."""

    title: str
    low: float
    high: float
    ticks: Sequence[float] = field(default_factory=tuple)

    def at(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        return (value - self.low) / ((self.high - self.low) or 1)

    def places(self) -> Sequence[float]:
        """The ticks: 1, 2 or 5 times a power of ten apart, about five of them."""
        if self.ticks:
            return self.ticks
        rough = ((self.high - self.low) or 1) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough - 1e-12)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * index for index in range(first, last + 1)]


def lines(title: str, curves: Sequence[Line], x: Axis, y: Axis) -> str:
    """A chart of curves with its legend; points that aren't numbers are left out."""

    def place(point: tuple[float, float]) -> str:
        across, up = x.at(point[0]), min(max(y.at(point[1]), -0.02), 1.02)
        return f"{LEFT + across * (WIDTH - LEFT - RIGHT):.1f},{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"

    drawn = []
    for curve in sorted(curves, key=lambda c: not c.thin):
        path = " ".join(place(p) for p in curve.points if math.isfinite(p[0]) and math.isfinite(p[1]))
        width, opacity = (0.8, 0.4) if curve.thin else (1.4 if curve.dashed else 2.2, 1)
        shape = f'<polyline points="{path}" fill="none" stroke="{curve.colour}" stroke-width="{width}"'
        if curve.dashed:
            shape += ' stroke-dasharray="4 3"'
        drawn.append(
            f'{shape} stroke-opacity="{opacity}" stroke-linejoin="round"><title>{escape(curve.name)}</title></polyline>'
        )
    keys = {curve.name: (curve.colour, curve.dashed) for curve in curves if not curve.thin}
    legend, height = _legend(keys, WIDTH, LEFT, HEIGHT)
    return _framed(title, WIDTH, height, _grid(x, y, WIDTH, HEIGHT, LEFT) + "".join(drawn) + legend)


def dots(
    title: str, rows: Sequence[str], values: Sequence[Dot], x: Axis, notes: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Values with intervals, a row for each of `rows`, with their legend; a line at 0 where the axis passes it.

    notes: of rows, words that stand in the place of dots.
    """
    per_row = max((sum(v.row == row for v in values) for row in rows), default=1)
    names = {row: broken(row) for row in rows}
    longest = max((len(line) for lines in names.values() for line in lines), default=0)
    left, width = 20 + round(LETTER * longest), DOTS_WIDTH
    step = max(11 * per_row, 13 * max(map(len, names.values()), default=1)) + 12  # room for dots, names and notes
    height = TOP + step * len(rows) + BOTTOM
    out = [_grid(x, None, width, height, left)]
    if x.low < 0 < x.high:
        zero = left + x.at(0) * (width - left - RIGHT)
        out.append(f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP}" y2="{height - BOTTOM}" stroke="var(--ink)"/>')
    for index, row in enumerate(rows):
        top = TOP + index * step
        for line, words in enumerate(names[row]):
            middle = top + step / 2 + 4 + 13 * (line - (len(names[row]) - 1) / 2)
            out.append(_text(left - 10, middle, words, "end", "ink"))
        if row in notes:
            out.append(_marked((left + width - RIGHT) / 2, top + step / 2 + 4, notes[row]))
        for position, dot in enumerate(v for v in values if v.row == row):
            level = top + 12 + 11 * position
            low, middle, high = (left + x.at(v) * (width - left - RIGHT) for v in (dot.low, dot.value, dot.high))
            known = math.isfinite(low + high)
            interval = f"{dot.low:.1f} to {dot.high:.1f}" if known else "no interval"
            tip = f"{dot.row}, {dot.name}: {dot.value:.1f} ({interval})"
            fill = "var(--paper)" if dot.hollow else dot.colour
            out.append(f'<g stroke="{dot.colour}"><title>{escape(tip)}</title>')
            if known:  # with ends that are higher than the dot, which may be wider than the interval
                out.append(
                    f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{level}" y2="{level}" stroke-width="2"/>'
                    f'<path d="M{low:.1f},{level - 5}v10M{high:.1f},{level - 5}v10" stroke-width="1.2"/>'
                )
            out.append(f'<circle cx="{middle:.1f}" cy="{level}" r="4" fill="{fill}" stroke-width="1.5"/></g>')
    legend, total = _legend({dot.name: (dot.colour, dot.hollow) for dot in values}, width, left, height)
    return _framed(title, width, total, "".join(out) + legend)


def _marked(x: float, y: float, text: str) -> str:
    """Words in the middle of a chart, on a ground of their own, so that no line runs through them."""
    wide = LETTER * len(text) + 12
    ground = f'<rect x="{x - wide / 2:.1f}" y="{y - 13:.1f}" width="{wide:.1f}" height="18" fill="var(--paper)"/>'
    return ground + _text(x, y, text, "middle", "ink")


def broken(name: str) -> list[str]:
    """A long name in lines of up to `LONGEST` letters, broken after an underscore or a hyphen where there is one."""
    if len(name) <= LONGEST:
        return [name]
    at = max(name.rfind(mark, 0, LONGEST) for mark in "_- ") + 1 or LONGEST
    return [name[:at], *broken(name[at:])]


def _legend(keys: dict[str, tuple[str, bool]], width: int, left: int, top: int) -> tuple[str, int]:
    """The names with their colours, in as many lines as they need below `top`, and where these end."""
    out, x, y = [], float(left), top + 10
    for name, (colour, hollow) in keys.items():
        wide = 26 + LETTER * len(name)
        if x > left and x + wide > width:
            x, y = float(left), y + 15
        fill = "none" if hollow else colour
        out.append(f'<rect x="{x:.1f}" y="{y - 9}" width="9" height="9" rx="4.5" fill="{fill}" stroke="{colour}"/>')
        out.append(_text(x + 13, y, name, "start"))
        x += wide
    return "".join(out), (y + 8 if keys else top)


def standalone(svg: str) -> str:
    """A chart as a file of its own, which follows the theme of whoever shows it."""

    def rules(colours: dict[str, str]) -> str:
        return "svg{" + "".join(f"--{name}:{value};" for name, value in colours.items()) + "background:var(--paper)}"

    style = f"<style>{rules(LIGHT)}@media(prefers-color-scheme:dark){{{rules(DARK)}}}</style>"
    head, rest = svg.split(">", 1)
    return f"{head}>{style}{rest}\n"


def _grid(x: Axis, y: Axis | None, width: int, height: int, left: int) -> str:
    right, bottom = width - RIGHT, height - BOTTOM
    out = []
    for value in x.places():
        at = left + x.at(value) * (right - left)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}" stroke="var(--line)"/>')
        out.append(_text(at, bottom + 14, f"{value:.6g}", "middle"))
    for value in y.places() if y else ():
        assert y
        at = bottom - y.at(value) * (bottom - TOP)
        out.append(f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="var(--line)"/>')
        out.append(_text(left - 6, at + 4, f"{value:.6g}", "end"))
    out.append(_text((left + right) / 2, height - 6, x.title, "middle"))
    if y:
        turn = f"translate(11 {(TOP + bottom) / 2:.0f}) rotate(-90)"
        out.append(f'<g transform="{turn}">{_text(0, 0, y.title, "middle")}</g>')
    return "".join(out)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "soft") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--{colour})">{escape(text)}</text>'


def _framed(title: str, width: int, height: int, content: str) -> str:
    about = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"'
    font = 'font-family="system-ui, sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {about} {font}>{content}</svg>'

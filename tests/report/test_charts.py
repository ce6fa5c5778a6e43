"""Charts as SVG."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from multiresunet.report import charts
from multiresunet.report.svg import Axis, Dot, Line, dots, lines, standalone
from tests.report.making import compared

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("x", 0, 1), Axis("y", 0, 1)


def test_the_overview_has_each_models_interval_and_hollow_baselines() -> None:
    scores = pd.DataFrame(
        [
            ("a", "unet", "jaccard", 0.5, 0.4, 0.7),
            ("a", "unet", "dice", 0.9, 0.8, 0.95),
            ("a", "Otsu threshold", "jaccard", 0.3, 0.2, 0.35),
        ],
        columns=["dataset", "model", "measure", "mean", "low", "high"],
    )
    drawn = charts.overview(scores, ["a"])
    assert "a, unet: 50.0 (40.0 to 70.0)" in drawn
    assert ": 90.0" not in drawn
    assert drawn.count("<circle") == 2
    assert drawn.count('fill="var(--paper)"') == 1


def test_the_forest_turns_a_pair_round_and_marks_zero() -> None:
    turned = compared(a=(-0.03, -0.05, -0.01)).rename(columns={"model": "other", "other": "model"})
    drawn = charts.forest(turned, "unet_bn", {"a": set()})
    assert "a, multiresunet: 3.0 (1.0 to 5.0)" in drawn
    assert drawn.count('stroke="var(--ink)"') == 1


def test_the_forest_shows_no_interval_where_the_control_fails_and_marks_models_that_do() -> None:
    table = compared(a=(0.2, -0.1, 0.5), b=(0.03, 0.01, 0.05))
    drawn = charts.forest(table, "unet_bn", {"a": {"unet_bn"}, "b": {"multiresunet"}})
    assert "a, multiresunet" not in drawn
    assert "nothing to compare: unet_bn fails" in drawn
    assert "b, multiresunet: 3.0 (1.0 to 5.0)" in drawn
    assert drawn.count("<circle") == drawn.count('fill="var(--paper)" stroke-width') == 1
    whole = charts.forest(table, "unet_bn", {"a": set(), "b": set()})
    assert whole.count("<circle") == 2
    assert ">50<" not in drawn
    assert ">40<" in whole  # the axis ends where data end
    none = charts.forest(table, "unet_bn", {"a": {"unet_bn"}, "b": {"unet_bn"}})
    grounds = [float(one.attrib["y"]) for one in ElementTree.fromstring(none).iter(f"{SVG}rect")]
    assert grounds[1] - grounds[0] >= 18  # no words are hidden by those of the next row


def test_an_interval_narrower_than_its_dot_is_told_from_none() -> None:
    narrow, none = (Dot("a", "unet", 1.0, low, high, "red") for low, high in ((0.99, 1.01), (math.nan, math.nan)))
    (with_ends, without) = (dots("t", ["a"], [dot], Axis("x", 0, 100)) for dot in (narrow, none))
    radius = float(re.findall(r'<circle[^>]* r="([\d.]+)"', with_ends)[0])
    ends = [float(length) for length in re.findall(r"M[\d.]+,[\d.]+v([\d.]+)", with_ends)]
    assert len(ends) == 2 and min(ends) > 2 * radius
    assert "M" not in without and "<title>a, unet: 1.0 (no interval)</title>" in without


def test_every_chart_has_a_legend_and_long_names_are_broken() -> None:
    drawn = lines("t", [Line("unet", [(0, 0), (1, 1)], "red"), Line("Otsu", [(0, 0)], "grey", dashed=True)], X, Y)
    assert [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")][-2:] == ["unet", "Otsu"]
    name = "a_data_set_with_a_very_long_name"
    row = dots("t", [name], [Dot(name, "unet", 1, 0, 2, "red")], Axis("x", 0, 2))
    texts = [str(text.text) for text in ElementTree.fromstring(row).iter(f"{SVG}text")]
    assert name not in texts
    assert name in "".join(texts)


def points(svg: str) -> list[tuple[float, float]]:
    found = re.search(r'points="([^"]*)"', svg)
    assert found
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_a_chart_puts_points_where_they_belong() -> None:
    drawn = lines("t", [Line("a<b", [(0, 0), (5, math.nan), (10, 1)], "red")], Axis("x", 0, 10), Axis("y", 0, 1))
    (x0, y0), (x1, y1) = points(drawn)
    assert x1 > x0 + 200
    assert y1 < y0 - 150
    assert "a&lt;b" in drawn
    assert ElementTree.fromstring(standalone(drawn)).tag.endswith("svg")


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 10, [0, 2, 4, 6, 8, 10]), (0, 1.3, [0, 0.5, 1]), (3, 3, [3])])
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert [t for t in Axis("x", low, high).places() if low <= t <= high] == pytest.approx(ticks)

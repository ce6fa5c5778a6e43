"""Tables as Markdown and LaTeX (booktabs), and as files to save from the page."""

from __future__ import annotations

import math
from urllib.parse import quote

import pandas as pd

_ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: rf"\{sign}" for sign in "&%$#_"},
        "×": r"$\times$",
        "±": r"$\pm$",
    }
)


def text_of(value: object) -> str:
    """A cell: numbers with four decimals at most, missing ones as nothing."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")
    return str(value)


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table; numbers to the right."""
    sides = ["---:" if pd.api.types.is_numeric_dtype(table[name]) else "---" for name in table]
    rows = [[text_of(value).replace("|", r"\|") for value in row] for row in table.itertuples(index=False)]
    return "".join("| " + " | ".join(row) + " |\n" for row in ([str(name) for name in table], sides, *rows))


def latex(table: pd.DataFrame) -> str:
    """A tabular with booktabs' rules; numbers to the right."""
    sides = "".join("r" if pd.api.types.is_numeric_dtype(table[name]) else "l" for name in table)
    rows = [[_escaped(text_of(value)) for value in row] for row in table.itertuples(index=False)]
    lines = [" & ".join(row) + r" \\" for row in rows]
    head = " & ".join(_escaped(str(name)) for name in table) + r" \\"
    return "\n".join(
        [rf"\begin{{tabular}}{{{sides}}}", r"\toprule", head, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}", ""]
    )


def links(name: str, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """A table to be saved from a page that carries it: for each format its name, a file name, and a data URL."""
    formats = {
        "CSV": ("csv", "text/csv", table.to_csv(index=False, lineterminator="\n")),
        "Markdown": ("md", "text/markdown", markdown(table)),
        "LaTeX": ("tex", "application/x-tex", latex(table)),
    }
    return [
        (kind, f"{name}.{ending}", f"data:{mime};charset=utf-8,{quote(text)}")
        for kind, (ending, mime, text) in formats.items()
    ]


def _escaped(text: str) -> str:
    return text.translate(_ESCAPED)

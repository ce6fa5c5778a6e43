"""Tables as Markdown and LaTeX."""

from __future__ import annotations

import pandas as pd

from multiresunet.report import export

TABLE = pd.DataFrame({"data_set": ["a & b|c", "50 %"], "score": [0.25, float("nan")], "n": [3, 4]})


def test_markdown() -> None:
    assert export.markdown(TABLE).splitlines() == [
        "| data_set | score | n |",
        "| --- | ---: | ---: |",
        "| a & b\\|c | 0.25 | 3 |",
        "| 50 % |  | 4 |",
    ]


def test_latex_has_booktabs_rules_and_escapes() -> None:
    text = export.latex(TABLE)
    assert text.splitlines()[:3] == [r"\begin{tabular}{lrr}", r"\toprule", r"data\_set & score & n \\"]
    assert r"a \& b|c & 0.25 & 3 \\" in text
    assert r"50 \% &  & 4 \\" in text
    assert (
        export.latex(pd.DataFrame({"x": [r"\a^~±"]})).count(
            r"\textbackslash{}a\textasciicircum{}\textasciitilde{}$\pm$"
        )
        == 1
    )

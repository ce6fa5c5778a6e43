"""A data set's own page: what is odd about it is said there, not in a log alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from multiresunet.data import manifest
from multiresunet.data.sources.folder import scan
from multiresunet.files import write_csv, write_json
from multiresunet.report import dataset_page
from tests.data.making import declared, folder_of


@pytest.mark.parametrize(
    ("spacings", "words"),
    [
        (["0.5×0.5", "0.8×0.5", "0.5×0.5"], "Pixels are from 0.5×0.5 to 0.8×0.5 mm large"),
        (["0.5×0.5", "", "0.5×0.5"], "1 of 3 files don&#39;t say how large a pixel is"),
        (["0.5×0.5"] * 3, ""),
    ],
)
def test_spacings_that_differ_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacings: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    samples = scan(folder_of(Path("data/raw/x"), ["a", "b", "c"]))
    manifest.write(Path("data/raw/x"), samples)
    write_csv(Path("data/validated/x/facts.csv"), pd.DataFrame({"sample": ["a", "b", "c"]}))
    write_json(Path("data/validated/x/validation.json"), [])
    write_json(Path("data/validated/x/notes.json"), {})
    kept = {"original_size": "40×48", "prepared_size": "32×32", "foreground_kept": 1.0, "components_kept": 1.0}
    write_csv(
        Path("data/prepared/x/samples.csv"),
        pd.DataFrame({"sample": ["a", "b", "c"], "group": "", "spacing": spacings, **kept}),
    )
    page = dataset_page.render("x", declared()).read_text(encoding="utf-8")
    assert "What the networks see" in page
    assert words in page
    assert ("mm large" in page or "how large a pixel" in page) is bool(words)

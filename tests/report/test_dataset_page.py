"""A data set's own page: what is odd about it is said there, not in a log alone; a phone shows it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from multiresunet.data import manifest
from multiresunet.data.sources.folder import scan
from multiresunet.files import write_csv, write_json
from multiresunet.report import dataset_page
from tests.data.making import declared, folder_of
from tests.report.chromium import BINARY, Browser


def rendered(name: str, samples: list[str], spacings: list[str], **kept: float) -> Path:
    """The page of a validated and prepared data set in the current folder."""
    raw, validated, prepared = (Path("data") / stage / name for stage in ("raw", "validated", "prepared"))
    manifest.write(raw, scan(folder_of(raw, samples)))
    write_csv(validated / "facts.csv", pd.DataFrame({"sample": samples}))
    write_json(validated / "validation.json", [])
    write_json(validated / "notes.json", {})
    facts = {"original_size": "40×48", "prepared_size": "32×32", "foreground_kept": 1.0, "components_kept": 1.0}
    table = pd.DataFrame({"sample": samples, "group": "", "spacing": spacings, **facts | kept})
    write_csv(prepared / "samples.csv", table)
    return dataset_page.render(name, declared())


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
    page = rendered("x", ["a", "b", "c"], spacings).read_text(encoding="utf-8")
    assert "What the networks see" in page
    assert words in page
    assert ("mm large" in page or "how large a pixel" in page) is bool(words)


@pytest.mark.skipif(BINARY is None, reason="no Chromium here")
def test_a_phone_shows_long_names_without_sideways_scroll(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, sample = "cvc_clinicdb_colonoscopy_2018", "ISIC_0012345_of_the_second_visit_superpixels_left"
    folds = {"fold": range(3), "images": 1, "groups": 0, "foreground_share": 0.2, "leak": 0.0}
    table = pd.DataFrame({**folds, "leak_of_random_folds": 0.0, "strays": True})
    write_csv(Path("data/prepared") / name / "folds.csv", table)
    page = rendered(name, [f"{sample}_{side}" for side in "abc"], [""] * 3, foreground_kept=0.5)
    chromium.anew()
    chromium.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    chromium.open(page)
    assert chromium.run("document.querySelectorAll('table').length") == 2
    assert chromium.run("document.scrollingElement.scrollWidth") == 390
    assert chromium.run("[...document.querySelectorAll('td')].every((cell) => cell.offsetHeight < 120)")

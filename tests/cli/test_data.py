"""`multiresunet data add`: one command brings in what laboratories have."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from multiresunet import cli, config
from stages import fetch, preprocess, validate
from tests.data.making import disc, folder_of, pair, save


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    shutil.copy(repository / "params.yaml", tmp_path)
    shutil.copytree(repository / "expectations", tmp_path / "expectations")
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    monkeypatch.setattr(sys, "argv", ["multiresunet", "data", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code


def test_16_bit_tiffs_with_a_file_per_instance(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(6):
        image, _ = pair(index, (40, 48))
        path = here / "scope" / f"p{index // 2}_cell{index}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, image[0].astype(np.uint16) * 250)
        for instance in range(3):
            mask = disc((40, 48), (8.0 + 12 * instance, 10.0 + 12 * instance), 5).astype(np.uint8) * 255
            save(here / "outlines" / f"p{index // 2}_cell{index}" / f"{instance}.png", mask)
    before = (here / "params.yaml").read_text()
    words = ("add", "cells", "--images", "scope/*.tif", "--masks", "outlines/*/*.png", "--group-pattern", "^p[0-9]+")
    assert call(monkeypatch, *words) == 0
    assert (here / "params.yaml").read_text() == before
    assert call(monkeypatch, *words, "--write") == 0
    after = (here / "params.yaml").read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []  # comments and all
    entry = config.load().datasets["cells"]
    assert (entry.size, entry.channels, entry.normalisation, entry.groups) == ([48, 48], 1, "rescale", True)
    assert entry.mask.foreground == [255]
    assert (here / "reports/data/cells-contact-sheet.png").stat().st_size > 1000
    fetch.fetch("cells")
    validate.validate("cells")
    preprocess.preprocess("cells")
    masks = np.load(here / "data/prepared/cells/masks.npy")
    drawn = sum(disc((40, 48), (8.0 + 12 * each, 10.0 + 12 * each), 5).mean() for each in range(3))
    assert masks.mean() == pytest.approx(drawn, rel=0.05)


def test_brats_layout(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, grade in enumerate(("HGG", "HGG", "LGG", "LGG")):
        case = f"Brats17_T{number}_1"  # all names end alike
        for value, channel in enumerate(("flair", "t1", "t1ce", "t2")):
            volume = np.random.default_rng(number).normal(100 * (value + 1), 9, (20, 18, 16)).astype(np.float32)
            save(here / "Brats" / grade / case / f"{case}_{channel}.nii.gz", volume)
        labels = disc((20, 18, 16), radius=6).astype(np.uint8) * 2 + disc((20, 18, 16), radius=3).astype(np.uint8) * 2
        labels[10, 9, 8] = 1
        save(here / "Brats" / grade / case / f"{case}_seg.nii.gz", labels)
    words = ("--images", "Brats/*/*/*_[ft]*.nii.gz", "--masks", "Brats/*/*/*_seg.nii.gz", "--write")
    assert call(monkeypatch, "add", "brats", *words) == 0
    entry = config.load().datasets["brats"]
    assert (entry.channels, len(entry.size), entry.normalisation) == (4, 3, "zscore")
    assert entry.mask.values == [0, 1, 2, 4]
    assert entry.mask.foreground == [1, 2, 4]
    fetch.fetch("brats")
    validate.validate("brats")
    preprocess.preprocess("brats")
    assert np.load(here / "data/prepared/brats/images.npy").shape[:2] == (4, 4)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("add", "a/b", "--images", "x", "--masks", "y"), "'a/b' can't name a data set"),
        (("add", "murphy", "--images", "x", "--masks", "y"), "has a data set 'murphy' already"),
        (("add", "mine", "--images", "x", "--masks", "y"), "no image matches"),
        (("add", "mine", "--images", "images/*", "--masks", "y"), "no mask matches"),
        (("add", "mine", "--images", "images/*", "--masks", "masks/a*"), "b has only an image"),
        (
            ("add", "mine", "--images", "images/*", "--masks", "masks/*", "--group-pattern", "("),
            "no regular expression",
        ),
        (("add", "mine", "--images", "images/*", "--masks", "masks/*", "--group-pattern", "x"), "doesn't match"),
        (("check", "nothing"), "'nothing' is unknown"),
    ],
)
def test_what_is_wrong_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], line: str
) -> None:
    folder_of(here, ["a", "b"])
    said = call(monkeypatch, *words)
    assert isinstance(said, str)
    assert line in said
    assert len(said.splitlines()) == 1
    assert not (here / "data").exists()

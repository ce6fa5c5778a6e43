"""`multiresunet data add | check`: what laboratories have becomes a data set, or nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from multiresunet import cli, config
from multiresunet.cli import data
from stages import fetch, preprocess, validate
from tests.data.making import disc, folder_of, pair, save, truncate
from tests.disks import complaint, every_disk, mounted, run_on


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    shutil.copy(repository / "params.yaml", tmp_path)
    shutil.copytree(repository / "expectations", tmp_path / "expectations")
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    monkeypatch.setattr(sys, "argv", ["multiresunet", *words])
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
    words = (
        "data",
        "add",
        "cells",
        "--images",
        "scope/*.tif",
        "--masks",
        "outlines/*/*.png",
        "--group-pattern",
        "^p[0-9]+",
    )
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
    assert call(monkeypatch, "data", "add", "brats", *words) == 0
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
    said = call(monkeypatch, "data", *words)
    assert isinstance(said, str)
    assert line in said
    assert len(said.splitlines()) == 1
    assert not (here / "data").exists()


def everything(place: Path) -> dict[str, bytes]:
    """Every file by its path, and every folder."""
    found = {str(path.relative_to(place)): path for path in place.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in found.items()}


def make_unreadable(place: Path) -> None:
    truncate(place / "images" / "b.png")


def make_colours(place: Path) -> None:
    save(place / "images" / "b.png", pair(1, channels=3)[0])


def make_volume(place: Path) -> None:
    (place / "images" / "b.png").unlink()
    save(place / "images" / "b.nii.gz", np.zeros((1, 8, 8, 8), np.float32))


def make_blank(place: Path) -> None:
    for name in "ab":
        save(place / "masks" / f"{name}.png", np.zeros((40, 48), np.uint8))


def take_out(place: Path) -> None:
    (place / "masks" / "b.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (make_unreadable, "error: copy/images/b.png: damaged or not readable"),
        (make_colours, "the files found: images have 1 or 3 channels"),
        (make_volume, "some files are images and some are volumes"),
        (make_blank, "hold the one value 0"),
        (take_out, "b has only an image"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_add_that_fails_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], line: str, known: bool
) -> None:
    folder_of(here, ["a", "b"])
    words = ("data", "add", "mine", "--images", "images/*", "--masks", "masks/*")
    if known:  # what an earlier call has left stays as it is
        assert call(monkeypatch, *words) == 0
    for folder in ("data/incoming", "reports/data"):
        (here / folder).mkdir(parents=True, exist_ok=True)
    shutil.copytree(here / "images", here / "copy/images")  # the data set is linked: spoil other files than its own
    shutil.copytree(here / "masks", here / "copy/masks")
    spoil(here / "copy")
    before = everything(here)
    said = call(monkeypatch, *words[:3], "--images", "copy/images/*", "--masks", "copy/masks/*", "--write")
    assert isinstance(said, str)
    assert line in said
    assert everything(here) == before


def test_add_that_cannot_write_params_yaml_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    folder_of(here, ["a", "b"])
    for folder in ("data/incoming", "reports/data"):
        (here / folder).mkdir(parents=True)
    before = everything(here)
    monkeypatch.setattr(data, "write_text", refused)
    words = ("data", "add", "mine", "--images", "images/*", "--masks", "masks/*", "--write")
    assert "error: params.yaml: no permission to read or write this" in str(call(monkeypatch, *words))
    assert everything(here) == before


@pytest.mark.parametrize("write", [(), ("--write",)])
def test_add_leaves_a_folder_that_was_made_by_hand(
    here: Path, monkeypatch: pytest.MonkeyPatch, write: tuple[str, ...]
) -> None:
    folder_of(here, ["a", "b"])
    own = folder_of(here / "data/incoming/cells", ["c", "d"])
    (own / "manifest.csv").write_text("image,mask,group\nimages/c.png,masks/c.png,p1\nimages/d.png,masks/d.png,p2\n")
    before = everything(here)
    said = call(monkeypatch, "data", "add", "cells", "--images", "images/*", "--masks", "masks/*", *write)
    assert said == (
        "error: data/incoming/cells: `data add` would delete images/c.png, images/d.png, manifest.csv, masks/c.png, "
        "masks/d.png, which it hasn't written, or not like this; choose another name, or move this folder elsewhere"
    )
    assert everything(here) == before


def test_add_replaces_what_it_has_made(here: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    folder_of(here, ["a", "b"])
    words = ("data", "add", "mine", "--images", "images/*", "--masks", "masks/*")
    assert call(monkeypatch, *words) == 0
    save(here / "masks" / "b.png", disc((40, 48), radius=5).astype(np.uint8) * 255)  # corrected in place
    save(here / "images" / "c.png", pair(2)[0])
    save(here / "masks" / "c.png", pair(2)[1])
    assert call(monkeypatch, *words, "--write") == 0
    names = sorted(path.name for path in (here / "data/incoming/mine/masks").iterdir())
    assert names == ["a.png", "b.png", "c.png"]
    (here / "data/incoming/mine/masks/c.png").unlink()
    save(here / "data/incoming/mine/masks/c.png", pair(3)[1])  # corrected here, and nowhere else
    shutil.copy(repository / "params.yaml", here)
    assert "would delete masks/c.png, which" in str(call(monkeypatch, *words))


# As it is installed: no folder stages/ beside params.yaml, nor on the path of modules


def installed(here: Path, repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command where the package is importable, and stages/ is not."""
    site = here / "site"
    site.mkdir(exist_ok=True)
    if not (site / "multiresunet").exists():
        (site / "multiresunet").symlink_to(repository / "multiresunet")
    environment = os.environ | {"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "multiresunet", *words]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)


def test_check_needs_no_stages(here: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(here, ["a", "b", "c"])
    words = ("data", "add", "mine", "--images", "images/*", "--masks", "masks/*", "--write")
    assert call(monkeypatch, *words) == 0
    done = installed(here, repository, "data", "check", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine: 3 samples from folder" in done.stdout
    assert "reports/data/mine.html shows what was found" in done.stdout
    assert "mine: 3 samples pass" in done.stdout
    save(here / "images" / "b.png", np.zeros((1, 40, 48), np.uint8))
    failed = installed(here, repository, "data", "check", "mine")
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == [failed.stderr.strip()]
    assert "changed: images/b.png" in failed.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("data", "add", "mine", "--images", "x", "--masks", "y"),
        ("data", "check", "mine"),
    ],
)
def test_outside_a_project_it_says_so(tmp_path: Path, repository: Path, words: tuple[str, ...]) -> None:
    done = installed(tmp_path, repository, *words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "params.yaml" in line
    assert "clone" in line


@pytest.mark.parametrize("words", [(), ("data", "add"), ("data", "check"), ("diff",), ("verify",)])
def test_help_works_anywhere_and_imports_nothing_slow(
    tmp_path: Path, repository: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = installed(tmp_path, repository, *words, "--help")
    assert done.returncode == 0
    assert "Usage: " in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported & {"numpy", "pandas", "torch", "PIL", "great_expectations"} == set()


@mounted
@every_disk
def test_a_disk_that_takes_nothing_is_one_line(here: Path, repository: Path, disk: str, told: str) -> None:
    folder_of(here, ["a", "b"])
    words = ["data", "add", "cells", "--images", "images/*.png", "--masks", "masks/*.png"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    done = run_on(disk, here, [sys.executable, "-m", "multiresunet", *words], environment)
    assert told in complaint(done)

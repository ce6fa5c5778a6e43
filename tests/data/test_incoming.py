"""`data add` replaces the folders that it has made itself, and no others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multiresunet.data import incoming
from multiresunet.errors import UserError
from tests.data.making import folder_of, save


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder as `data add` leaves it: one image linked, the others copied."""
    originals, folder = folder_of(tmp_path / "originals", ["a"]), folder_of(tmp_path / "x", ["a", "b"])
    (folder / "images/a.png").unlink()
    os.link(originals / "images/a.png", folder / "images/a.png")
    (folder / "manifest.csv").write_text("image,mask\n")
    incoming.record(folder)
    return folder


def paint(path: Path) -> None:
    save(path, np.zeros((1, 8, 8), np.uint8))


def link_out(folder: Path) -> None:
    (folder / "images/c.png").symlink_to(folder.parent / "nowhere.png")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: None,
        lambda folder: (folder / "images/b.png").unlink(),
        lambda folder: (folder / "images/.DS_Store").write_bytes(b"x"),
        lambda folder: paint(folder.parent / "originals/images/a.png"),  # in place: here, too
        shutil.rmtree,
        lambda folder: [shutil.rmtree(folder), folder.mkdir()],
    ],
)
def test_what_is_not_lost_may_be_replaced(made: Path, change: Callable[[Path], object]) -> None:
    change(made)
    incoming.check_replaceable(made)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: (folder / incoming.RECORD).unlink(), "images/a.png, images/b.png, manifest.csv, masks/a.png"),
        (lambda folder: (folder / incoming.RECORD).write_text("[1"), "images/a.png, images/b.png, manifest.csv"),
        (lambda folder: (folder / incoming.RECORD).write_text("[1]"), "images/a.png, images/b.png, manifest.csv"),
        (lambda folder: (folder / "notes.txt").write_text("x"), "delete notes.txt, "),
        (lambda folder: (folder / "manifest.csv").write_text("image,mask,group\n"), "delete manifest.csv, "),
        (lambda folder: paint(folder / "masks/b.png"), "delete masks/b.png, "),
        (link_out, "delete images/c.png, "),
    ],
)
def test_what_would_be_lost_is_named(made: Path, change: Callable[[Path], object], named: str) -> None:
    change(made)
    with pytest.raises(UserError) as caught:
        incoming.check_replaceable(made)
    line = str(caught.value)
    assert line.startswith(f"{made}: ")
    assert named in line
    assert line.endswith("choose another name, or move this folder elsewhere")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_not_replaced(tmp_path: Path, made: Path, kind: str) -> None:
    place = tmp_path / "y"
    if kind == "file":
        place.write_text("x")
    else:
        place.symlink_to(made)
    with pytest.raises(UserError, match="choose another name"):
        incoming.check_replaceable(place)

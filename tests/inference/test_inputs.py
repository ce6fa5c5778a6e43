"""Every image in a folder is found, once for each name that it has there, and what is left out is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiresunet.errors import UserError
from multiresunet.inference.inputs import found, read


def names(*words: Path | str, left: list[str] | None = None) -> list[str]:
    told = [] if left is None else left
    return [one.name for one in found(map(str, words), Path("nowhere"), lambda path: told.append(path.name))]


def touch(place: Path, *files: str) -> None:
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).touch()


@pytest.mark.parametrize("suffix", ["webp", "pgm", "jp2", "tga", "WEBP"])
def test_what_pillow_knows_is_taken_from_a_folder(suffix: str, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 12), np.uint8)).save(tmp_path / f"a.{suffix}")
    left: list[str] = []
    [one] = found([str(tmp_path)], tmp_path / "out", lambda path: left.append(path.name))
    assert (one.name, left) == ("a", [])
    assert read(one.path).array.shape[1:] == (8, 12)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.png", "notes.txt", "b/slide.svs", "b/table.h5", "b/film.mpg", ".hidden.txt", "out/predictions.csv"
    )
    left: list[str] = []
    some = found([str(tmp_path), str(tmp_path)], tmp_path / "out", lambda path: left.append(path.name))
    assert [one.name for one in some] == ["a"]
    assert sorted(left) == ["film.mpg", "notes.txt", "slide.svs", "table.h5"]


def test_two_links_to_one_file_are_two_images(tmp_path: Path) -> None:
    touch(tmp_path, "store/3f/9a")
    for name in ("a.png", "b.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).symlink_to(tmp_path / "store/3f/9a")
    assert names(tmp_path / "in") == ["a", "b"]
    assert names(tmp_path / "in", tmp_path / "in/a.png") == ["a", "b"]


def test_linked_folders_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "elsewhere/b.png", "elsewhere/deep/c.png")
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/again").symlink_to(tmp_path / "elsewhere/deep")
    (tmp_path / "in/circle").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere/deep/up").symlink_to(tmp_path)
    left: list[str] = []
    assert names(tmp_path / "in", left=left) == ["a", "again/c", "linked/b", "linked/deep/c"]
    assert sorted(left) == ["circle", "up", "up"]


def test_a_folder_is_a_series_only_if_it_has_no_other_images(tmp_path: Path) -> None:
    touch(tmp_path, "p1/1.dcm", "p1/2.dcm", "p1/notes.txt")
    touch(tmp_path, "p2/loose.dcm", "p2/series/1.dcm", "p2/series/2.dcm")
    touch(tmp_path, "p3/x.dcm", "p3/p.png")
    touch(tmp_path, "p4/1.dcm", "p4/empty/notes.txt")
    all_of_them = ["p1", "p2/loose", "p2/series", "p3/p", "p3/x", "p4"]
    assert names(tmp_path) == all_of_them
    assert names(tmp_path / "p2") == ["loose", "series"]
    assert names(f"{tmp_path}/*") == all_of_them


@pytest.mark.parametrize(
    ("word", "out", "says"),
    [
        ("in", ".", "in: lies in --out ., whose files are no input; choose another --out"),
        ("in/a.png", ".", "in/a.png: lies in --out ., whose files are no input; choose another --out"),
        ("in/*.png", "in", "in/*.png: lies in --out in, whose files are no input; choose another --out"),
        ("zeiss", "out", "zeiss: no images in there that are read, but zeiss/a.czi: Zeiss CZI; convert it with"),
        ("odd", "out", "odd: no images in there that are read, but odd/a.xyz; save them as TIFF, PNG or NIfTI"),
        ("empty", "out", "empty: no images in there; name another folder"),
        ("u*", "out", "u*: names folders, upper; name them without a pattern, or their files, as 'scans/**/*.tif'"),
        ("in/x.png", "out", "in/x.png: no such file or folder"),
        ("in/*.tif", "out", "in/*.tif: no file has such a name; for files in all folders: 'scans/**/*.tif'"),
    ],
)
def test_a_word_that_names_no_image_is_told_why(
    word: str, out: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "in/a.png", "zeiss/a.czi", "odd/a.xyz", "upper/deep/a.png")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        found([word], Path(out))
    assert str(caught.value).startswith(says)


def test_folders_that_a_pattern_names_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "sub/deep/b.png", "notes/c.txt", "series/1.dcm", "series/2.dcm")
    left: list[str] = []
    assert names(f"{tmp_path}/*", left=left) == ["a", "series"]
    assert left == ["sub"]  # the one with images
    left.clear()
    assert "sub/deep/b" in names(f"{tmp_path}/**", left=left)
    assert left == []

"""Which image belongs to which mask: by folders and names, by a CSV file, or not at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from multiresunet.data import pairing
from multiresunet.errors import UserError


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[Path]]:
    def make(*names: str) -> list[Path]:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        return [tmp_path / name for name in names]

    return make


@pytest.mark.parametrize(
    ("images", "masks", "samples"),
    [
        (["x/1/i.png", "x/2/i.png", "y/1/i.png"], ["x/1/m.png", "x/2/m.png", "y/1/m.png"], ["x_1_i", "x_2_i", "y_1_i"]),
        (["i/a.png", "i/b.png"], ["m/a.tif", "m/b.tif"], ["a", "b"]),
        (["i/img_1.png", "i/img_2.png"], ["m/lbl_1.png", "m/lbl_2.png"], ["img_1", "img_2"]),
        (["i/IMG1.png", "i/IMG2.png"], ["m/GT1.png", "m/GT2.png"], ["IMG1", "IMG2"]),
        (["i/a.png", "i/b.png"], ["m/A_seg.PNG", "m/B_seg.PNG"], ["a", "b"]),
        (["i/a_0000.png", "i/b_0000.png"], ["m/a.png", "m/b.png"], ["a_0000", "b_0000"]),
        (["i/a_t1.nii", "i/a_t2.nii", "i/b_t1.nii", "i/b_t2.nii"], ["m/a_seg.nii", "m/b_seg.nii"], ["a", "b"]),
        (["d/a.png", "d/b.png"], ["d/a_mask.png", "d/b_mask.png"], ["a", "b"]),
        (["x/1/i.png", "x/2/i.png"], ["x/1/m.png", "x/2/m.png"], ["1_i", "2_i"]),
        (["t/img/1.png", "v/img/2.png"], ["t/gt/1.png", "v/gt/2.png"], ["1", "2"]),
        (["t/img/1.png", "v/img/1.png"], ["t/gt/1.png", "v/gt/1.png"], ["t_1", "v_1"]),
        (["i/a.png", "i/b.png"], ["m/a/0.png", "m/a/1.png", "m/b/0.png"], ["a", "b"]),
        (["i/7.png", "i/17.png"], ["m/7_mask.png", "m/17_mask.png"], ["17", "7"]),
        (["i/2020_1.png", "i/2020_2.png"], ["m/2020_1.png", "m/2020_2.png"], ["2020_1", "2020_2"]),
    ],
)
def test_pairs(files: Callable[..., list[Path]], images: list[str], masks: list[str], samples: list[str]) -> None:
    paired = pairing.pair(files(*images), files(*masks), None)
    assert [sample.sample for sample, _ in paired] == samples
    for sample, some in paired:
        many = len(sample.image.split(";"))
        ends = {path.stem.lower().split("_")[0].strip("imglbt") for path in some[:many]}
        assert len(some) >= 2
        assert ends


@pytest.mark.parametrize(
    ("images", "masks", "words"),
    [
        (["i/a.png", "i/b.png"], ["m/a.png"], "b has only an image"),
        (["i/a.png"], ["m/a.png", "m/b.png"], "b has only an image or only a mask"),
        (
            ["p/s1.png", "p/s2.png", "q/s1.png", "q/s2.png"],
            ["r/p/x.png", "r/p/y.png", "r/q/x.png", "r/q/y.png"],
            "only",
        ),
        (["i/a.png", "i/a.tif"], ["m/a.png"], "a.png, "),
        (["i/a_1.png", "i/a_2.png", "i/b_1.png"], ["m/a.png", "m/b.png"], "1 image files and some 2 (b)"),
        (["i/a.png", "i/b.png"], ["m/c.png", "m/d.png"], "--pairs"),
    ],
)
def test_what_does_not_pair_is_named(
    files: Callable[..., list[Path]], images: list[str], masks: list[str], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        pairing.pair(files(*images), files(*masks), None)
    assert words in str(caught.value), str(caught.value)


def test_slices_of_patients_are_never_channels(files: Callable[..., list[Path]]) -> None:
    names = [f"P{p}/slice{s}" for p in range(3) for s in range(4)]
    paired = pairing.pair(files(*(f"i/{n}.png" for n in names)), files(*(f"m/{n}_m.png" for n in names)), None)
    assert len(paired) == 12
    assert all(len(some) == 2 and some[0].stem == some[1].stem.removesuffix("_m") for _, some in paired)
    assert {sample.group for sample, _ in paired} == {"P0", "P1", "P2"}


def test_two_unicode_forms_are_one_name(files: Callable[..., list[Path]]) -> None:
    images = files(*(unicodedata.normalize("NFD", f"i/Zürich {n}.png") for n in range(3)))
    masks = files(*(unicodedata.normalize("NFC", f"m/Zürich {n}.png") for n in range(3)))
    paired = pairing.pair(images, masks, None)
    assert [sample.sample for sample, _ in paired] == [unicodedata.normalize("NFC", f"Zürich {n}") for n in range(3)]


def test_a_csv_file_overrides_names(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    files("i/a.png", "i/b.png", "m/x.png", "m/y.png")
    (tmp_path / "p.csv").write_text("\ufeffimage;mask;group\r\ni\\a.png;m\\y.png;g\r\ni\\b.png;m\\x.png;h\r\n")
    paired = pairing.listed(tmp_path / "p.csv")
    assert [(s.sample, s.group, [f.name for f in some]) for s, some in paired] == [
        ("a", "g", ["a.png", "y.png"]),
        ("b", "h", ["b.png", "x.png"]),
    ]
    said = pairing.examples(paired)
    assert said[0] == "2 pairs; first and last:"
    assert "y.png, group g" in said[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,mask\ni/a.png,m/none.png\n", "missing"),
        ("image,label\ni/a.png,m/x.png\n", "'mask' is missing"),
        ("image,mask\n", "lists no pair"),
        ("image,mask\ni/a.png,m/x.png\ni/a.png,m/y.png\n", "more than once"),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_named(
    files: Callable[..., list[Path]], tmp_path: Path, text: str, words: str
) -> None:
    files("i/a.png", "m/x.png", "m/y.png")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=r"p\.csv: ") as caught:
        pairing.listed(tmp_path / "p.csv")
    assert words in str(caught.value)


@pytest.mark.parametrize("head", ["image,mask", "sample,image,mask", "image,mask,group"])
def test_a_pattern_finds_groups_in_the_names_of_a_csv_file(
    files: Callable[..., list[Path]], tmp_path: Path, head: str
) -> None:
    files("i/p1_a.png", "i/p2_b.png", "m/x.png", "m/y.png")
    cells = {"image": ("i/p1_a.png", "i/p2_b.png"), "mask": ("m/x.png", "m/y.png"), "sample": ("p3 c", "p4 d")}
    lines = [",".join(cells.get(column, ("", ""))[row] for column in head.split(",")) for row in range(2)]
    (tmp_path / "p.csv").write_text("\n".join([head, *lines]) + "\n")
    groups = [sample.group for sample, _ in pairing.listed(tmp_path / "p.csv", "^p([0-9])")]
    assert groups == (["3", "4"] if "sample" in head else ["1", "2"])


def test_a_csv_file_with_groups_and_a_pattern_are_refused(files: Callable[..., list[Path]], tmp_path: Path) -> None:
    files("i/p1_a.png", "i/p2_b.png", "m/x.png", "m/y.png")
    (tmp_path / "p.csv").write_text("image,mask,group\ni/p1_a.png,m/x.png,g\ni/p2_b.png,m/y.png,\n")
    with pytest.raises(UserError, match=r"p\.csv: has groups .*; leave --group-pattern out, or empty the column group"):
        pairing.listed(tmp_path / "p.csv", "^p[0-9]")
    with pytest.raises(UserError, match=r"--group-pattern 'q' doesn't match the name 'p1_a'"):
        (tmp_path / "p.csv").write_text("image,mask\ni/p1_a.png,m/x.png\n")
        pairing.listed(tmp_path / "p.csv", "q")

"""manifest.csv: round trip, and every way it can be wrong."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet.data import manifest
from multiresunet.data.manifest import Sample
from multiresunet.errors import UserError


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "manifest.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        manifest.read(folder)
    line = str(caught.value)
    assert str(folder / "manifest.csv") in line
    assert len(line.splitlines()) == 1
    return line


NAMES = st.text(
    st.one_of(st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\;"), st.sampled_from(' ,"')),
    min_size=1,
).filter(lambda name: not name.startswith("."))


def folded(name: str) -> str:
    """What many disks make of a name."""
    return unicodedata.normalize("NFC", name).casefold()


@given(names=st.lists(NAMES, min_size=1, max_size=4, unique_by=folded), group=st.sampled_from(["", "a", "NA", "007"]))
@settings(max_examples=60, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, names: list[str], group: str) -> None:
    folder = tmp_path_factory.mktemp("m")
    samples = [Sample(n, f"images/{n}.png", f"masks/{n}.png", group, "0" * 64, "1" * 64) for n in names]
    manifest.write(folder, samples)
    assert manifest.read(folder) == sorted(samples)


def test_the_order_of_the_samples_does_not_matter(tmp_path: Path) -> None:
    samples = [Sample(n, f"images/{n}", f"masks/{n}") for n in "bac"]
    texts = []
    for order in (samples, samples[::-1]):
        manifest.write(tmp_path, order)
        texts.append((tmp_path / "manifest.csv").read_bytes())
    assert texts[0] == texts[1]


def test_two_columns_are_enough_and_others_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "mask,note,image\nmasks/a.nii.gz,x,images/a.1.nii.gz\nmasks/007.png,,images/007.png\n")
    assert manifest.read(tmp_path) == [
        Sample("007", "images/007.png", "masks/007.png"),
        Sample("a.1", "images/a.1.nii.gz", "masks/a.nii.gz"),
    ]


def test_excel_s_byte_order_mark_and_upper_case_checksums_are_fine(tmp_path: Path) -> None:
    write(tmp_path, "\ufeffimage,mask,image_sha256\r\nimages/ä b.png,masks/ä b.png,ABC\r\n")
    assert manifest.read(tmp_path) == [Sample("ä b", "images/ä b.png", "masks/ä b.png", image_sha256="abc")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["not a readable CSV"]),
        (b"image,mask\n\xff\xfe,b\n", ["not a readable CSV"]),
        ('image,mask\n"a,b\n', ["not a readable CSV"]),
        ("image,mask\na,b\nc,d,e\n", ["not a readable CSV", "line 3"]),
        ("image,mask\na,b,c\nd,e,f\n", ["more cells than the header"]),
        ("image|mask\na|b\n", ["'image' is missing", "image|mask"]),
        ("image,label\na,b\n", ["'mask' is missing", "image, label"]),
        ("image,mask\na,b\nc,\n", ["line 3", "no mask"]),
        ("image,mask\n,b\n", ["line 2", "no image"]),
        ("sample,image,mask\nx,a,b\nx,c,d\n", ["sample 'x'", "more than once"]),
        ("image,mask\na/x.png,b\nc/x.png,d\n", ["sample 'x'", "more than once"]),
        ("sample,image,mask\nx,a,b\ny,a,d\n", ["'a'", "more than once"]),
        ("image,mask\na,m\nc,m\n", ["'m'", "more than once"]),
        ("image,mask\na,a\n", ["'a'", "more than once"]),
        ("image,mask\n../x.png,b\n", ["image '../x.png'", "relative"]),
        ("image,mask\na,masks/../../x.png\n", ["mask 'masks/../../x.png'", "relative"]),
        ("image,mask\n/etc/passwd,b\n", ["image '/etc/passwd'", "relative"]),
        ("image,mask\nC:\\x.png,b\n", ["image 'C:", "relative"]),
        ("sample,image,mask\n,a,b\n", ["sample ''"]),
        ("sample,image,mask\n../../x,a,b\n", ["sample '../../x'"]),
        ("sample,image,mask\n..,a,b\n", ["sample '..'"]),
        ("sample,image,mask\n/x,a,b\n", ["sample '/x'"]),
        ('sample,image,mask\n"a\tb",a,b\n', ["sample 'a\\tb'"]),
    ],
)
def test_refused_in_one_line(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    line = refusal(write(tmp_path, text))
    assert [word for word in words if word not in line] == [], line


def test_a_missing_manifest_is_one_line(tmp_path: Path) -> None:
    assert "dvc repro" in refusal(tmp_path)


@given(content=st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_the_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = write(tmp_path_factory.getbasetemp(), b"image,mask\n" + content)
    try:
        manifest.read(folder)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffimage;mask;group\r\nimages\\a.png;masks\\a.png;g\r\n",
        'image,mask,group\nimages/a.png,"masks\\a.png",g\n',
        "image\tmask\tgroup\nimages/a.png\tmasks/a.png\tg\n",
    ],
)
def test_as_spreadsheets_write_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8", newline="")
    (only,) = manifest.read(tmp_path)
    assert (only.image, only.mask, only.group) == ("images/a.png", "masks/a.png", "g")


def test_names_in_two_unicode_forms_are_one(tmp_path: Path) -> None:
    assert manifest.folded("Mu\u0308ller") == manifest.folded("M\u00fcLLER")
    assert manifest.sample_name("a.OME.TIF") == "a"

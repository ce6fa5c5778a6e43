"""BraTS-17 as its folder, images with a file for each channel, links out of a folder, and data cards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiresunet.config import ArchiveSource, FolderSource, HttpSource, PhantomSource
from multiresunet.data import data_card, manifest, sources
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.making import declared, folder_of

CASES = {"HGG": ["Brats17_CBICA_AAB_1", "Brats17_TCIA_100_1"], "LGG": ["Brats17_2013_0_1"]}
PARTS = ("flair", "t1", "t1ce", "t2", "seg")


@pytest.fixture
def brats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as its publishers pack it; each file's content is its name."""
    monkeypatch.setenv("MULTIRESUNET_DATA", str(tmp_path))
    place = tmp_path / "Brats17TrainingData"
    for grade, cases in CASES.items():
        for case in cases:
            (place / grade / case).mkdir(parents=True)
            for part in PARTS:
                (place / grade / case / f"{case}_{part}.nii.gz").write_text(f"{case} {part}")
    (place / "survival_data.csv").write_text("Brats17ID,Age,Survival\n")
    return place


def source(place: Path, **changes: Any) -> FolderSource:
    digest = folder.digest(folder.scan(place, "brats17"))
    entry = {"kind": "folder", "path": place.name, "layout": "brats17", "digest": digest}
    return FolderSource.model_validate(entry | changes)


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def test_brats_is_one_sample_for_each_case_with_its_channels_in_order(brats: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    samples = sources.fetch(declared(source=source(brats).model_dump()), tmp_path / "raw", tmp_path / "state")
    assert [s.sample for s in samples] == sorted(case for cases in CASES.values() for case in cases)
    for s in samples:
        channels = manifest.parts(s.image)
        assert [(tmp_path / "raw" / path).read_text() for path in channels] == [f"{s.sample} {p}" for p in PARTS[:4]]
        assert (tmp_path / "raw" / s.mask).read_text() == f"{s.sample} seg"
        assert manifest.parts(s.image_sha256) == [sha256(tmp_path / "raw" / path) for path in channels]
        assert all(path.endswith(".nii.gz") for path in (*channels, s.mask))
    manifest.write(tmp_path / "raw", samples)
    assert manifest.read(tmp_path / "raw") == samples
    # What was fetched is a data set of one's own like any other.
    assert [s.image_sha256 for s in folder.scan(tmp_path / "raw")] == [s.image_sha256 for s in samples]


@pytest.mark.parametrize("part", PARTS)
def test_a_file_of_a_case_that_is_missing_is_named(brats: Path, part: str) -> None:
    path = f"HGG/Brats17_TCIA_100_1/Brats17_TCIA_100_1_{part}.nii.gz"
    (brats / path).unlink()
    assert f"missing {path};" in refusal(lambda: folder.scan(brats, "brats17"))


@pytest.mark.parametrize("part", PARTS)
def test_any_channel_s_change_is_named(brats: Path, tmp_path: Path, part: str) -> None:
    pinned = source(brats)
    sources.checked(pinned, tmp_path / "state")
    (brats / "LGG/Brats17_2013_0_1" / f"Brats17_2013_0_1_{part}.nii.gz").write_text("changed")
    assert f"_{part}.nii.gz" in refusal(lambda: sources.checked(pinned, tmp_path / "state"))


def test_another_folder_is_told_what_brats_looks_like(brats: Path) -> None:
    for grade in CASES:
        shutil.rmtree(brats / grade)
    assert "there is no HGG/<case>/ or LGG/<case>/" in refusal(lambda: folder.scan(brats, "brats17"))


def test_a_case_in_both_grades_is_refused(brats: Path) -> None:
    shutil.copytree(brats / "LGG/Brats17_2013_0_1", brats / "HGG/Brats17_2013_0_1")
    assert "'Brats17_2013_0_1' is in HGG and in LGG" in refusal(lambda: folder.scan(brats, "brats17"))


def test_without_a_digest_it_is_named_and_nothing_is_fetched(brats: Path, tmp_path: Path) -> None:
    line = refusal(lambda: sources.checked(source(brats, digest=None), tmp_path / "state"))
    assert f"set the data set's source.digest to {source(brats).digest}" in line


# A folder of one's own


def test_a_manifest_can_name_a_file_for_each_channel(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["a", "b", "c"])
    (place / "manifest.csv").write_text("sample,image,mask\none,images/a.png;images/b.png,masks/a.png\n")
    (tmp_path / "raw").mkdir()
    (only,) = folder.copy(place, folder.scan(place), tmp_path / "raw")
    assert only.image == "images/one/channel0.png;images/one/channel1.png"
    assert sha256(tmp_path / "raw/images/one/channel1.png") == sha256(place / "images/b.png")


@pytest.mark.parametrize("cell", ["images/a.png;../b.png", "images/a.png;/etc/passwd", "images/a.png;images/a.png"])
def test_no_channel_reaches_outside_or_comes_twice(tmp_path: Path, cell: str) -> None:
    place = folder_of(tmp_path / "discs", ["a"])
    (place / "manifest.csv").write_text(f"image,mask,sample\n{cell},masks/a.png,s\n")
    assert len(refusal(lambda: folder.scan(place))) > 0


@pytest.mark.parametrize("role", ["images", "masks"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, role: str) -> None:
    place = folder_of(tmp_path / "discs", ["a", "b"])
    secret = tmp_path / "secret.png"
    (place / role / "b.png").rename(secret)
    (place / role / "b.png").symlink_to(secret)
    assert f"{role}/b.png is a link out of this folder" in refusal(lambda: folder.scan(place))
    assert secret.exists()


def test_a_folder_of_links_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["a"])
    (place / "masks").rename(tmp_path / "elsewhere")
    (place / "masks").symlink_to(tmp_path / "elsewhere")
    assert "masks/a.png is a link out" in refusal(lambda: folder.scan(place))


def test_links_within_the_folder_and_to_the_folder_are_fine(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "discs", ["a"])
    (place / "masks" / "a.png").rename(place / "original.png")
    (place / "masks" / "a.png").symlink_to(place / "original.png")
    (tmp_path / "linked").symlink_to(place)
    assert len(folder.scan(tmp_path / "linked")) == 1


@pytest.mark.parametrize("name", ["a b", "$(touch x) `y` && z", "ünï '\"*?"])
def test_names_that_a_shell_would_stumble_over_are_names(tmp_path: Path, name: str) -> None:
    place = folder_of(tmp_path / "discs", [name])
    (tmp_path / "raw").mkdir()
    (only,) = folder.copy(place, folder.scan(place), tmp_path / "raw")
    assert (tmp_path / "raw" / only.image).is_file()


@pytest.mark.parametrize("names", [["a;rm -rf x"], ["line\nbreak"], ["Case", "case"], ["é", "e\u0301"]])
def test_names_that_do_harm_on_some_disk_are_refused(tmp_path: Path, names: list[str]) -> None:
    place = folder_of(tmp_path / "discs", names)
    if len(list((place / "images").iterdir())) < len(names):
        pytest.skip("this disk takes them for the same name")
    assert "name" in refusal(lambda: folder.scan(place))


# Data cards


def test_every_catalog_has_a_card_and_every_card_is_whole(repository: Path) -> None:
    catalog = repository / "catalog"
    for path in catalog.glob("*.csv"):
        found = data_card.of(HttpSource(kind="http", catalog=str(path), sha256="0" * 64))
        assert found is not None, path.name
        assert found.citation in str(found)
        assert found.terms in str(found)
    for path in catalog.glob("*.yaml"):
        assert data_card.of(FolderSource(kind="folder", path="x", digest=None, card=str(path))) is not None


def test_sources_without_card_have_none(tmp_path: Path) -> None:
    assert data_card.of(PhantomSource(kind="phantom", draw="nuclei", samples=1, seed=1)) is None
    assert data_card.of(HttpSource(kind="http", catalog=str(tmp_path / "own.csv"), sha256="0" * 64)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "this data card is missing"),
        ("title: [", "is not valid YAML"),
        ("", "the file"),
        ("title: x", "modality"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_line(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "card.yaml"
    if text is not None:
        path.write_text(text)
    archive = ArchiveSource.model_validate(
        {"kind": "archive", "layout": "msd", "files": [{"url": "https://x/y", "sha256": "0" * 64}], "card": str(path)}
    )
    line = refusal(lambda: data_card.of(archive))
    assert str(path) in line
    assert words in line

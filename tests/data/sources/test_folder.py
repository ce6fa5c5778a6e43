"""A folder as a data set: pairing, checksums, and a digest that holds for its content alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiresunet.config import FolderSource
from multiresunet.data import manifest, sources
from multiresunet.data.manifest import Sample
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.making import declared, folder_of, pair, save, truncate

NAMES = ["a", "b c", "π'é"]


@pytest.fixture
def incoming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULTIRESUNET_DATA", str(tmp_path / "incoming"))
    return tmp_path / "incoming"


@pytest.fixture
def discs(incoming: Path) -> Path:
    """A data set without manifest; names with a space and signs beyond ASCII."""
    return folder_of(incoming / "discs", NAMES)


def add_manifest(place: Path, group: str = "") -> None:
    manifest.write(place, [Sample(**{**vars(s), "group": group}) for s in folder.scan(place)])


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def source_of(place: Path) -> FolderSource:
    return FolderSource(kind="folder", path=place.name, digest=folder.digest(folder.scan(place)))


# Pairing


def test_pairs_by_name(discs: Path) -> None:
    samples = folder.scan(discs)
    assert [(s.sample, s.image, s.mask, s.group) for s in samples] == [
        (n, f"images/{n}.png", f"masks/{n}.png", "") for n in NAMES
    ]
    assert samples[0].image_sha256 == sha256(discs / "images" / "a.png")
    assert samples[0].mask_sha256 == sha256(discs / "masks" / "a.png")


def test_extensions_may_differ_and_hidden_files_do_not_count(discs: Path) -> None:
    (discs / "images" / "a.png").rename(discs / "images" / "a.jpg")
    (discs / "images" / ".DS_Store").write_bytes(b"x")
    assert folder.scan(discs)[0].image == "images/a.jpg"


def test_pairs_by_manifest(discs: Path) -> None:
    (discs / "masks").rename(discs / "drawn")
    (discs / "drawn" / "a.png").rename(discs / "drawn" / "a_segmentation.png")
    (discs / "manifest.csv").write_text("sample,image,mask,group\nfirst,images/a.png,drawn/a_segmentation.png,g1\n")
    (only,) = folder.scan(discs)
    assert (only.sample, only.group, only.mask) == ("first", "g1", "drawn/a_segmentation.png")
    assert only.mask_sha256 == sha256(discs / "drawn" / "a_segmentation.png")


def test_files_that_the_manifest_does_not_list_do_not_count(discs: Path) -> None:
    add_manifest(discs)
    before = folder.digest(folder.scan(discs))
    save(discs / "images" / "more.png", pair(9)[0])
    assert folder.digest(folder.scan(discs)) == before


@pytest.mark.parametrize(("gone", "left"), [("masks", "images"), ("images", "masks")])
def test_a_file_without_partner_is_named(discs: Path, gone: str, left: str) -> None:
    (discs / gone / "b c.png").unlink()
    line = refusal(lambda: folder.scan(discs))
    assert f"{left}/b c.png has no partner" in line
    assert f"in {gone}/" in line


def test_a_file_that_the_manifest_lists_and_that_is_gone_is_named(discs: Path) -> None:
    add_manifest(discs)
    (discs / "masks" / "b c.png").unlink()
    assert "missing masks/b c.png;" in refusal(lambda: folder.scan(discs))


@pytest.mark.parametrize("role", ["image", "mask"])
def test_a_checksum_of_the_manifest_that_does_not_hold_is_named(discs: Path, role: str) -> None:
    add_manifest(discs)
    truncate(discs / f"{role}s" / "π'é.png", 0.9)
    line = refusal(lambda: folder.scan(discs))
    assert f"{role}s/π'é.png doesn't have the SHA-256" in line


def test_a_manifest_without_checksums_is_enough(discs: Path) -> None:
    (discs / "manifest.csv").write_text("image,mask\nimages/a.png,masks/a.png\n")
    assert len(folder.scan(discs)) == 1


def test_a_manifest_cannot_reach_outside_its_folder(discs: Path) -> None:
    secret = save(discs.parent / "secret.png", pair(9)[0])
    for path in ("../secret.png", str(secret)):
        (discs / "manifest.csv").write_text(f"image,mask\n{path},masks/a.png\n")
        assert path in refusal(lambda: folder.scan(discs))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: shutil.rmtree(d / "masks"), ["masks", "this folder is missing"]),
        (lambda d: [p.unlink() for p in d.rglob("*.png")], ["there is no image"]),
        (lambda d: shutil.copy(d / "images" / "a.png", d / "images" / "a.tif"), ["a.tif", "a.png", "rename"]),
        (lambda d: (d / "images" / "patient1").mkdir(), ["images/patient1", "folder", "manifest.csv"]),
        (lambda d: (d / "manifest.csv").write_text("image,mask\n"), ["there is no image"]),
    ],
)
def test_a_folder_of_another_shape_is_refused(discs: Path, spoil: Callable[[Path], Any], words: list[str]) -> None:
    spoil(discs)
    line = refusal(lambda: folder.scan(discs))
    assert [word for word in [str(discs), *words] if word not in line] == [], line


def test_names_that_are_not_unicode_are_refused(discs: Path) -> None:
    name = os.fsdecode(b"Pr\xe9nom.png")
    try:
        for role in ("images", "masks"):
            (discs / role / "a.png").rename(discs / role / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert r"Pr\udce9nom" in refusal(lambda: folder.scan(discs))


# Place


def test_a_folder_that_is_not_there_is_refused_with_both_ways_out(incoming: Path) -> None:
    line = refusal(lambda: folder.locate("nowhere"))
    assert str(incoming / "nowhere") in line
    assert "MULTIRESUNET_DATA" in line
    assert not folder.is_at_hand("nowhere")


def test_without_the_variable_data_incoming_is_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MULTIRESUNET_DATA", "")
    folder_of(tmp_path / "data" / "incoming" / "discs", ["a"])
    assert folder.locate("discs") == Path("data/incoming/discs")
    assert folder.is_at_hand("discs")


def test_a_folder_that_was_added_here_is_found_although_the_variable_is_set(
    incoming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "data/incoming/mine", ["a"])
    assert folder.locate("mine") == Path("data/incoming/mine")
    folder_of(incoming / "mine", ["a"])
    assert folder.locate("mine") == incoming / "mine"


# Digest


def test_the_digest_does_not_depend_on_order_time_or_place(discs: Path, tmp_path: Path) -> None:
    before = folder.scan(discs)
    assert folder.digest(before[::-1]) == folder.digest(before)
    for path in discs.rglob("*.png"):
        os.utime(path, (1, 1))
    shutil.move(discs, tmp_path / "elsewhere")
    assert folder.digest(folder.scan(tmp_path / "elsewhere")) == folder.digest(before)


def test_a_manifest_that_says_what_the_names_say_does_not_change_the_digest(discs: Path) -> None:
    before = folder.digest(folder.scan(discs))
    add_manifest(discs)
    assert folder.digest(folder.scan(discs)) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda d: save(d / "images" / "a.png", pair(9)[0]),
        lambda d: save(d / "masks" / "a.png", pair(9)[1]),
        lambda d: [p.unlink() for p in d.rglob("a.png")],
        lambda d: folder_of(d, ["d"]),
        lambda d: [p.rename(p.with_stem("z")) for p in d.rglob("a.png")],
        lambda d: add_manifest(d, group="g"),
        lambda d: (d / "manifest.csv").write_text(
            "image,mask\nimages/a.png,masks/b c.png\nimages/b c.png,masks/a.png\nimages/π'é.png,masks/π'é.png\n"
        ),
    ],
    ids=["image", "mask", "fewer", "more", "renamed", "groups", "pairs"],
)
def test_the_digest_changes_with(discs: Path, change: Callable[[Path], Any]) -> None:
    before = folder.digest(folder.scan(discs))
    change(discs)
    assert folder.digest(folder.scan(discs)) != before


# Against the pinned digest


def test_a_folder_as_pinned_passes_and_is_put_on_record(discs: Path, tmp_path: Path) -> None:
    source = source_of(discs)
    assert sources.checked(source, tmp_path / "state") == folder.scan(discs)
    assert manifest.read(tmp_path / "state" / "folders" / source.digest) == folder.scan(discs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: truncate(d / "images" / "b c.png", 0.9), ["changed: images/b c.png"]),
        (lambda d: save(d / "masks" / "a.png", pair(9)[1]), ["changed: masks/a.png"]),
        (lambda d: [p.unlink() for p in d.rglob("a.png")], ["gone: images/a.png, masks/a.png"]),
        (lambda d: folder_of(d, [*NAMES, "d"]), ["new: images/d.png, masks/d.png"]),
        (lambda d: add_manifest(d, group="g"), ["groups or pairs differ"]),
    ],
    ids=["truncated", "mask", "gone", "new", "groups"],
)
def test_what_changed_is_named_file_by_file(
    discs: Path, tmp_path: Path, change: Callable[[Path], Any], words: list[str]
) -> None:
    source = source_of(discs)
    sources.checked(source, tmp_path / "state")
    change(discs)
    line = refusal(lambda: sources.checked(source, tmp_path / "state"))
    now = folder.digest(folder.scan(discs))
    assert [word for word in [str(discs), *words, "restore", now] if word not in line] == [], line


def test_many_changes_are_counted(incoming: Path, tmp_path: Path) -> None:
    place = folder_of(incoming / "many", [f"s{i}" for i in range(9)])
    source = source_of(place)
    sources.checked(source, tmp_path / "state")
    for path in (place / "images").iterdir():
        truncate(path, 0.9)
    line = refusal(lambda: sources.checked(source, tmp_path / "state"))
    assert "images/s4.png and 4 more" in line


@pytest.mark.parametrize("record", [None, b"", b"sample,image\n"])
def test_without_a_sound_record_the_folder_is_still_judged(discs: Path, tmp_path: Path, record: bytes | None) -> None:
    source = source_of(discs)
    if record is not None:
        place = tmp_path / "state" / "folders" / source.digest
        place.mkdir(parents=True)
        (place / "manifest.csv").write_bytes(record)
    assert len(sources.checked(source, tmp_path / "state")) == len(NAMES)
    truncate(discs / "images" / "a.png", 0.9)
    if record is not None:
        assert "not what its digest pins" in refusal(lambda: sources.checked(source, tmp_path / "state"))


# Copy


def test_fetch_copies_under_the_samples_names(discs: Path, tmp_path: Path) -> None:
    (discs / "manifest.csv").write_text("sample,image,mask,group\nfirst one,images/a.png,masks/b c.png,g1\n")
    target = tmp_path / "raw"
    target.mkdir()
    dataset = declared(source=source_of(discs).model_dump())
    (sample,) = sources.fetch(dataset, target, tmp_path / "state")
    assert (sample.image, sample.mask, sample.group) == ("images/first one.png", "masks/first one.png", "g1")
    assert sha256(target / sample.image) == sample.image_sha256 == sha256(discs / "images" / "a.png")
    assert sha256(target / sample.mask) == sample.mask_sha256 == sha256(discs / "masks" / "b c.png")


def test_double_extensions_stay_whole(incoming: Path, tmp_path: Path) -> None:
    volume = pair(0)[0].astype("float32")
    for role in ("images", "masks"):
        save(incoming / "mri" / role / "x.y.nii.gz", volume)
    target = tmp_path / "raw"
    target.mkdir()
    (sample,) = folder.copy(incoming / "mri", folder.scan(incoming / "mri"), target)
    assert (sample.sample, sample.image) == ("x.y", "images/x.y.nii.gz")
    assert (target / sample.image).is_file()

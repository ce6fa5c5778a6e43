"""Archives of the publishers' layouts, and archives that were made by an enemy."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from multiresunet.config import Fetch
from multiresunet.data import sources
from multiresunet.data.sources import archive
from multiresunet.data.sources.archive import unpack
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.making import declared, pair, save
from tests.data.web import Web

IMAGES, MASKS = "ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"
TASK = "Task04_Hippocampus"


def png(index: int, role: int, folder: Path) -> bytes:
    return save(folder / "made.png", pair(index)[role]).read_bytes()


@pytest.fixture
def isic(tmp_path: Path) -> dict[str, Path]:
    """The challenge's two zip files, with three samples."""
    for folder, ending, role in ((IMAGES, ".jpg", 0), (MASKS, "_segmentation.png", 1)):
        with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr(f"{folder}/", "")
            made.writestr(f"{folder}/LICENSE.txt", "terms")
            made.writestr(f"{folder}/ATTRIBUTION.txt", "names")
            for index in range(3):
                made.writestr(f"{folder}/ISIC_000000{index}{ending}", png(index, role, tmp_path))
    return {f"{folder}.zip": tmp_path / f"{folder}.zip" for folder in (IMAGES, MASKS)}


def tar_of(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: Any = "w") -> dict[str, Path]:
    with tarfile.open(path, mode) as made:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                made.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                made.addfile(info, io.BytesIO(content))
    return {path.name: path}


def hippocampus(folder: Path) -> dict[str, bytes | tarfile.TarInfo]:
    """What the task's tar holds, in small, with the shadows that macOS adds."""
    members: dict[str, bytes | tarfile.TarInfo] = {f"{TASK}/dataset.json": b"{}", f"./{TASK}/._dataset.json": b"x"}
    for case in ("hippocampus_001", "hippocampus_003"):
        for part in ("imagesTr", "labelsTr"):
            volume = save(folder / "made.nii.gz", pair(int(case[-1]))[part == "labelsTr"].reshape(1, 40, 6, 8))
            members[f"./{TASK}/{part}/{case}.nii.gz"] = volume.read_bytes()
            members[f"./{TASK}/{part}/._{case}.nii.gz"] = b"shadow"
    members[f"{TASK}/imagesTs/hippocampus_002.nii.gz"] = b"a test image without label"
    return members


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def written(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# Layouts


def test_isic_2018_comes_out_of_its_two_zips(isic: dict[str, Path], target: Path, tmp_path: Path) -> None:
    samples = unpack(isic, "isic2018", target)
    assert [(s.sample, s.image, s.mask) for s in samples] == [
        (
            f"ISIC_000000{i}",
            f"images/ISIC_000000{i}.jpg",
            f"masks/ISIC_000000{i}_segmentation.png".replace("_segmentation", ""),
        )
        for i in range(3)
    ]
    assert (target / samples[1].mask).read_bytes() == png(1, 1, tmp_path)
    assert sha256(target / samples[1].image) == samples[1].image_sha256
    assert len(list(target.rglob("*.*"))) == 6


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_decathlon_task_comes_out_of_its_tar(target: Path, tmp_path: Path, mode: str) -> None:
    samples = unpack(tar_of(tmp_path / "task.tar", hippocampus(tmp_path), mode), "msd", target)
    assert [(s.sample, s.image, s.mask) for s in samples] == [
        (case, f"images/{case}.nii.gz", f"masks/{case}.nii.gz") for case in ("hippocampus_001", "hippocampus_003")
    ]
    assert sha256(target / samples[0].mask) == samples[0].mask_sha256
    assert len([path for path in target.rglob("*") if path.is_file()]) == 4


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Web()
    yield served
    served.close()


def test_archives_arrive_from_the_web(web: Web, isic: dict[str, Path], target: Path, tmp_path: Path) -> None:
    web.files = {f"/2018/{name}": path.read_bytes() for name, path in isic.items()}
    files = [{"url": f"https://isic.example/2018/{name}", "sha256": sha256(path)} for name, path in isic.items()]
    dataset = declared(source={"kind": "archive", "files": files, "layout": "isic2018"})
    mirror = Fetch.model_validate({"mirror": {"from": "https://isic.example", "to": web.url}})
    assert len(sources.fetch(dataset, target, tmp_path / "state", mirror)) == 3


def test_a_missing_archive_is_told_by_its_samples(isic: dict[str, Path], target: Path) -> None:
    del isic[f"{MASKS}.zip"]
    assert "no mask for ISIC_0000000, ISIC_0000001, ISIC_0000002" in refusal(lambda: unpack(isic, "isic2018", target))


def test_another_layout_s_archive_is_refused(isic: dict[str, Path], target: Path) -> None:
    assert "holds no image of layout msd" in refusal(lambda: unpack(isic, "msd", target))


# Enemies


def info(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    ("name", "member", "words"),
    [
        ("../../evil.sh", b"x", "points out"),
        (f"{TASK}/../../evil", b"x", "points out"),
        ("/etc/evil", b"x", "points out"),
        ("C:\\evil", b"x", "points out"),
        ("a\\..\\..\\evil", b"x", "points out"),
        (f"{TASK}/imagesTr/a\nb.nii.gz", b"x", "points out"),
        ("link", info("link", tarfile.SYMTYPE, "/etc/passwd"), "a link or a device"),
        ("link", info("link", tarfile.LNKTYPE, "../../secret"), "a link or a device"),
        ("null", info("null", tarfile.CHRTYPE), "a link or a device"),
        ("disk", info("disk", tarfile.BLKTYPE), "a link or a device"),
        ("pipe", info("pipe", tarfile.FIFOTYPE), "a link or a device"),
    ],
)
def test_a_tar_that_reaches_out_is_refused(
    target: Path, tmp_path: Path, name: str, member: bytes | tarfile.TarInfo, words: str
) -> None:
    archives = tar_of(tmp_path / "task.tar", hippocampus(tmp_path) | {name: member})
    around = {path for path in tmp_path.rglob("*") if target not in path.parents}
    line = refusal(lambda: unpack(archives, "msd", target))
    assert f"task.tar: holds {name!r}" in line
    assert words in line
    assert {path for path in tmp_path.rglob("*") if target not in path.parents} == around


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../../evil.sh", stat.S_IFREG, "points out"),
        ("/etc/evil", stat.S_IFREG, "points out"),
        ("..\\evil", 0, "points out"),
        ("line\nbreak", stat.S_IFREG, "points out"),
        (f"{IMAGES}/ISIC_9999999.jpg", stat.S_IFLNK, "a link or a device"),
        ("null", stat.S_IFCHR, "a link or a device"),
    ],
)
def test_a_zip_that_reaches_out_is_refused(
    isic: dict[str, Path], target: Path, name: str, mode: int, words: str
) -> None:
    with zipfile.ZipFile(isic[f"{IMAGES}.zip"], "a") as made:
        member = zipfile.ZipInfo(name)
        member.external_attr = (mode | 0o777) << 16
        made.writestr(member, "/etc/passwd")
    assert words in refusal(lambda: unpack(isic, "isic2018", target))
    assert written(target) == 0  # a zip is looked through before anything is unpacked


def test_names_with_spaces_signs_and_commands_are_names(target: Path, tmp_path: Path) -> None:
    members: dict[str, bytes | tarfile.TarInfo] = {
        f"{TASK}/{part}/{name}.nii.gz": name.encode()
        for part in ("imagesTr", "labelsTr")
        for name in ("a b", "π'é$(x)")
    }
    assert [s.sample for s in unpack(tar_of(tmp_path / "t.tar", members), "msd", target)] == ["a b", "π'é$(x)"]


@pytest.mark.parametrize("names", [("a;rm -rf x",), ("case", "Case"), ("b\\c",)])
def test_names_that_do_harm_on_some_disk_are_refused(target: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    members: dict[str, bytes | tarfile.TarInfo] = {
        f"{TASK}/{part}/{name}.nii.gz": b"x" for part in ("imagesTr", "labelsTr") for name in names
    }
    assert "t.tar: sample" in refusal(lambda: unpack(tar_of(tmp_path / "t.tar", members), "msd", target))


def test_a_member_that_comes_twice_is_refused(isic: dict[str, Path], target: Path) -> None:
    with zipfile.ZipFile(isic[f"{IMAGES}.zip"], "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(f"{IMAGES}/ISIC_0000001.jpg", "another")
    assert "has the image of 'ISIC_0000001' twice" in refusal(lambda: unpack(isic, "isic2018", target))


class Zeros(io.RawIOBase):
    """So many zeros, none of them in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        size = min(size if size >= 0 else self.left, self.left)
        self.left -= size
        return bytes(size)


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made, made.open(f"{IMAGES}/ISIC_0000000.jpg", "w") as file:
        shutil.copyfileobj(Zeros(200 << 20), file, 1 << 20)


def zip_that_lies(path: Path) -> None:
    """1 kB that says it is 10 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{IMAGES}/ISIC_0000000.jpg", bytes(500_000))
    content = bytearray(path.read_bytes())
    assert len(content) < 1024
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + offset
        content[at : at + 4] = struct.pack("<I", 4_000_000_000)
    path.write_bytes(content)


def tar_bomb(path: Path, name: str = f"{TASK}/imagesTr/a.nii.gz", kind: bytes = tarfile.REGTYPE) -> None:
    member = info(name, kind)
    member.size = 200 << 20
    with tarfile.open(path, "w:gz") as made:
        made.addfile(member, Zeros(member.size))


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (zip_bomb, "isic2018"),
        (zip_that_lies, "isic2018"),
        (tar_bomb, "msd"),
        (lambda path: tar_bomb(path, "README"), "msd"),
        (lambda path: tar_bomb(path, "long", tarfile.GNUTYPE_LONGNAME), "msd"),
        (lambda path: tar_bomb(path, "pax", tarfile.XHDTYPE), "msd"),
    ],
    ids=["zip", "zip that lies", "tar", "tar beside the images", "tar's long name", "tar's extended header"],
)
def test_a_bomb_fills_neither_disk_nor_memory(
    target: Path, tmp_path: Path, make: Callable[[Path], None], layout: str
) -> None:
    make(tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 300_000
    tracemalloc.start()
    try:
        line = refusal(lambda: unpack({"bomb": tmp_path / "bomb"}, layout, target))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "bomb: unpacks to more than" in line
    assert written(target) <= archive.FLOOR
    assert peak < 8 * archive.FLOOR


@pytest.mark.parametrize("keep", [0, 1, 100, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_damaged_archive_is_one_line(
    isic: dict[str, Path], target: Path, tmp_path: Path, kind: str, keep: float
) -> None:
    if kind == "zip":
        path, layout = isic[f"{IMAGES}.zip"], "isic2018"
    else:
        tar_of(tmp_path / "t.tar", hippocampus(tmp_path), "w:gz" if kind.endswith("gz") else "w")
        path, layout = tmp_path / "t.tar", "msd"
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    if kind == "tar" and keep in (0.6, 0.99):
        return  # a small tar is padding for the most part
    assert "the archive: " in refusal(lambda: unpack({"the archive": path}, layout, target))


@pytest.mark.parametrize("at", range(0, 1400, 23))
def test_a_spoilt_byte_is_one_line_or_none(isic: dict[str, Path], target: Path, at: int) -> None:
    path = isic[f"{IMAGES}.zip"]
    content = bytearray(path.read_bytes())
    content[-at - 1] ^= 0xFF
    path.write_bytes(content)
    try:
        unpack(isic, "isic2018", target)
    except UserError as error:
        assert len(str(error).splitlines()) == 1

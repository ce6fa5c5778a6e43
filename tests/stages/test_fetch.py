"""fetch as its command line, against a server on this machine: the five public sets, killed and taken up again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from multiresunet.data import manifest
from multiresunet.files import sha256
from stages import fetch
from tests.data.making import declared
from tests.data.web import Web

ROOT = Path(__file__).parents[2]
SETS = ["murphy", "isbi2012", "isic2017", "cvc_clinicdb", "msd_hippocampus"]
ORIGIN = "https://raw.githubusercontent.com"
BYTES = 60_000


class Place:
    """A checkout with small stand-ins of the five catalogs: the same URLs, columns and groups, other content."""

    def __init__(self, root: Path, web: Web) -> None:
        self.root, self.web = root, web
        self.tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        self.tree["fetch"] = {"mirror": {"from": ORIGIN, "to": web.url}, "connections": 2}
        self.tables: dict[str, pd.DataFrame] = {}
        for name in SETS:
            table = pd.read_csv(ROOT / "catalog" / f"{name}.csv", dtype=str, keep_default_na=False).head(6)
            for index, row in table.iterrows():
                body = random.Random(row["url"]).randbytes(BYTES)
                web.files[urllib.parse.urlparse(row["url"]).path] = body
                table.loc[index, ["bytes", "sha256"]] = [str(BYTES), hashlib.sha256(body).hexdigest()]
            path = root / "catalog" / f"{name}.csv"
            path.parent.mkdir(exist_ok=True)
            table.to_csv(path, index=False)
            shutil.copy(ROOT / "catalog" / f"{name}.yaml", path.parent)
            self.add(name, {"kind": "http", "catalog": f"catalog/{name}.csv", "sha256": sha256(path)})
            self.tables[name] = table

    def add(self, name: str, source: dict[str, Any]) -> None:
        self.tree["datasets"][name] = declared().model_dump() | {"size": [32, 32], "source": source}
        self.write()

    def write(self) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.tree), encoding="utf-8")

    def start(self, name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "stages.fetch", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"},
        )

    def snapshot(self, *places: str) -> dict[str, bytes]:
        files = (path for place in places for path in (self.root / place).rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    web = Web()
    yield Place(tmp_path, web)
    web.close()


def is_whole(place: Place, name: str) -> None:
    """Every file of the stand-in is in data/raw, under its sample's name and with its hash."""
    raw = place.root / "data" / "raw" / name
    samples = {s.sample: s for s in manifest.read(raw)}
    table = place.tables[name]
    assert set(samples) == set(table["sample"])
    for row in table.to_dict("records"):
        sample = samples[row["sample"]]
        path = raw / getattr(sample, row["role"])
        assert sha256(path) == row["sha256"] == getattr(sample, f"{row['role']}_sha256")
        assert sample.group == row["group"]
        assert "".join(path.suffixes) == (".nii.gz" if name.startswith("msd") else Path(row["url"]).suffix)


@pytest.mark.parametrize(
    "name", [SETS[1], *(pytest.param(name, marks=pytest.mark.slow) for name in (SETS[0], *SETS[2:]))]
)
def test_a_public_set_arrives_although_fetch_is_killed_midway(place: Place, name: str) -> None:
    web, total = place.web, 6 * BYTES
    web.delay = 0.02
    killed = place.start(name)
    until = time.monotonic() + 300
    while web.sent < 0.6 * total and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (place.root / "data" / "raw" / name).exists()
    whole = {path.name for path in (place.root / ".state/downloads").iterdir() if path.suffix != ".part"}
    assert whole
    while web.open:  # the server notices
        assert time.monotonic() < until
        time.sleep(0.005)
    web.delay, web.sent, web.asked, web.ranges = 0, 0, [], []

    again = place.start(name)
    said, complained = again.communicate(timeout=300)
    assert (again.returncode, complained.strip()) == (0, "")
    is_whole(place, name)
    hashes = {urllib.parse.urlparse(row["url"]).path: row["sha256"] for row in place.tables[name].to_dict("records")}
    assert [path for path in web.asked if hashes[path] in whole] == []
    assert web.ranges  # taken up where it stopped
    assert web.sent == total - len(whole) * BYTES - sum(start for _, start in web.ranges)
    card = yaml.safe_load((ROOT / "catalog" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert f"cite: {card['citation']}" in said
    assert f"terms: {card['terms']}" in said
    record = json.loads((place.root / "data/raw" / name / "source.json").read_text(encoding="utf-8"))
    assert record["card"] == card


def test_the_mirror_is_no_part_of_the_result(place: Place, tmp_path: Path) -> None:
    fetch.fetch("murphy")
    before = place.snapshot("data/raw")
    for path, body in place.web.files.items():
        copied = tmp_path / "mirror" / urllib.parse.unquote(path).lstrip("/")
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(body)
    shutil.rmtree(tmp_path / ".state")
    place.web.asked.clear()
    place.tree["fetch"]["mirror"]["to"] = (tmp_path / "mirror").as_uri()
    place.write()
    fetch.fetch("murphy")
    assert place.web.asked == []
    assert place.snapshot("data/raw") == before
    assert "fetch.mirror" not in (ROOT / "dvc.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", [404, "login", "spoil"])
def test_what_was_there_is_still_there_after_a_failure(place: Place, fault: int | str) -> None:
    fetch.fetch("murphy")
    before = place.snapshot("data", ".state")
    path = urllib.parse.urlparse(place.tables["murphy"]["url"].iloc[3]).path
    (place.root / ".state/downloads" / hashlib.sha256(place.web.files[path]).hexdigest()).unlink()
    place.web.faults[path] = [fault] * 9
    failed = place.start("murphy")
    _, complained = failed.communicate(timeout=300)
    assert failed.returncode == 1
    assert len(complained.strip().splitlines()) == 1
    assert complained.startswith(f"error: {place.web.url}{path}: ")
    after = place.snapshot("data", ".state")
    assert {key: body for key, body in before.items() if key.startswith("data")} == place.snapshot("data")
    assert len(before.keys() - after.keys()) == 1  # the one that was taken out


def test_a_disk_that_fills_up_leaves_what_was_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch.fetch("murphy")
    before = place.snapshot("data")
    copyfile, left = shutil.copyfile, [3]

    def full(source: Path, target: Path) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        fetch.fetch("murphy")
    assert place.snapshot("data") == before
    assert [path.name for path in (place.root / "data/raw").iterdir()] == ["murphy"]


@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="needs a small disk")
def test_a_disk_that_is_really_full_is_one_line(place: Place, tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", tmp_path / ".state"]).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        files = [{"url": row["url"], "sha256": row["sha256"]} for row in place.tables["murphy"].to_dict("records")]
        place.add("packed", {"kind": "archive", "layout": "msd", "files": files})  # sizes unknown beforehand
        failed = place.start("packed")
        _, complained = failed.communicate(timeout=300)
        assert complained.startswith("error: the disk is full while writing .state/downloads/")
        assert len(complained.strip().splitlines()) == 1
    finally:
        subprocess.run(["umount", tmp_path / ".state"], check=True)


def test_brats_that_is_missing_comes_with_instructions(place: Place) -> None:
    shutil.copy(ROOT / "catalog/brats17.yaml", place.root / "catalog")
    source = {"kind": "folder", "path": "Brats17TrainingData", "layout": "brats17", "digest": None}
    place.add("brats17", source | {"card": "catalog/brats17.yaml"})
    failed = place.start("brats17")
    said, complained = failed.communicate(timeout=300)
    assert failed.returncode == 1
    assert "Register at the homepage" in said
    assert "Brats17TrainingData/{HGG,LGG}/<case>/<case>_{flair,t1,t1ce,t2,seg}.nii.gz" in said
    assert complained.startswith("error: data/incoming/Brats17TrainingData: this folder is missing")
    assert len(complained.strip().splitlines()) == 1


def test_digest_of_a_layout(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    case = place.root / "data/incoming/brats/LGG/case"
    case.mkdir(parents=True)
    for part in ("flair", "t1", "t1ce", "t2", "seg"):
        (case / f"case_{part}.nii.gz").write_text(part)
    fetch.main(digest="brats", layout="brats17")
    digest = capsys.readouterr().out.strip()
    place.add("brats", {"kind": "folder", "path": "brats", "layout": "brats17", "digest": digest})
    fetch.fetch("brats")
    assert (place.root / "data/raw/brats/images/case/channel3.nii.gz").read_text() == "t2"

"""Catalogs of files on the web, against a server on this machine that misbehaves on order."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiresunet import config
from multiresunet.config import Fetch
from multiresunet.data import sources
from multiresunet.data.sources import catalog, transfer
from multiresunet.errors import UserError
from multiresunet.files import sha256
from tests.data.making import declared, pair, save
from tests.data.web import Web

NAMES = ["a", "b"]


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server with two images and two masks; retries wait for nothing."""
    monkeypatch.setattr(transfer, "BACKOFF", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Web()
    for index, name in enumerate(NAMES):
        for role, array in zip(("image", "mask"), pair(index), strict=True):
            served.files[f"/{role}/{name}.png"] = save(tmp_path / "origin" / f"{name}.png", array).read_bytes()
    yield served
    served.close()


def lines(web: Web) -> list[str]:
    """One line for each file the server has."""
    return ["sample,role,group,url,bytes,sha256"] + [
        f"{Path(path).stem},{path.split('/')[1]},g,{web.url}{path},{len(content)},{hashlib.sha256(content).hexdigest()}"
        for path, content in web.files.items()
    ]


def catalog_of(folder: Path, text: list[str]) -> tuple[Path, str]:
    path = folder / "catalog.csv"
    path.write_text("\n".join(text) + "\n")
    return path, sha256(path)


def arrive(web: Web, folder: Path, connections: int = 8) -> Any:
    pinned = catalog.read_catalog(*catalog_of(folder, lines(web)))
    target = folder / "raw"
    target.mkdir(exist_ok=True)
    return catalog.fetch(pinned, folder / "store", target, Fetch(connections=connections))


def refusal(act: Any) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def test_every_file_arrives_under_its_sample_s_name(web: Web, tmp_path: Path) -> None:
    samples = arrive(web, tmp_path)
    assert [(s.sample, s.image, s.mask, s.group) for s in samples] == [
        (n, f"images/{n}.png", f"masks/{n}.png", "g") for n in NAMES
    ]
    for s in samples:
        assert (tmp_path / "raw" / s.image).read_bytes() == web.files[f"/image/{s.sample}.png"]
        assert sha256(tmp_path / "raw" / s.image) == s.image_sha256
        assert sha256(tmp_path / "raw" / s.mask) == s.mask_sha256


def test_fetch_reads_the_catalog_that_is_pinned(web: Web, tmp_path: Path) -> None:
    catalog, pinned = catalog_of(tmp_path, lines(web))
    dataset = declared(source={"kind": "http", "catalog": str(catalog), "sha256": pinned})
    (tmp_path / "raw").mkdir()
    assert [s.sample for s in sources.fetch(dataset, tmp_path / "raw", tmp_path / "state")] == NAMES


def test_a_query_and_quoted_signs_do_not_get_into_the_extension(web: Web, tmp_path: Path) -> None:
    text = [line.replace(".png,", ".png?download=1&x=a%2Fb.zip,") for line in lines(web)]
    pinned = catalog.read_catalog(*catalog_of(tmp_path, text))
    (tmp_path / "raw").mkdir()
    assert catalog.fetch(pinned, tmp_path / "store", tmp_path / "raw", Fetch())[0].image == "images/a.png"


@pytest.mark.parametrize("fault", [500, 503, 429, "truncate", "spoil"])
def test_what_goes_wrong_once_is_tried_again(web: Web, tmp_path: Path, fault: int | str) -> None:
    web.faults["/mask/b.png"] = [fault]
    assert len(arrive(web, tmp_path)) == 2
    assert web.asked.count("/mask/b.png") == 2
    assert (tmp_path / "raw" / "masks" / "b.png").read_bytes() == web.files["/mask/b.png"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (500, ["HTTP 500"]),
        ("hang up", ["can't be downloaded"]),
        ("spoil", ["another SHA-256"]),
    ],
)
def test_what_goes_wrong_again_and_again_is_named(web: Web, tmp_path: Path, fault: int | str, words: list[str]) -> None:
    web.faults["/mask/a.png"] = [fault] * 20
    line = refusal(lambda: arrive(web, tmp_path))
    assert [word for word in [f"{web.url}/mask/a.png: ", *words] if word not in line] == [], line
    assert web.asked.count("/mask/a.png") == 1 + transfer.RETRIES
    assert not (tmp_path / "raw" / "masks" / "a.png").exists()


def test_a_server_that_does_not_answer_is_named(web: Web, tmp_path: Path) -> None:
    web.close()
    assert ": can't be downloaded (no connection); check the network" in refusal(lambda: arrive(web, tmp_path))


@pytest.mark.parametrize("name", ["murphy", "isbi2012", "cvc_clinicdb", "msd_hippocampus", "isic2017"])
def test_without_a_network_each_data_set_says_so_in_one_line_and_in_seconds(
    name: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.delenv("MULTIRESUNET_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(repository)  # the catalogs' place
    (tmp_path / "raw").mkdir()
    dataset = config.load().dataset(name)
    begun = time.monotonic()
    line = refusal(lambda: sources.fetch(dataset, tmp_path / "raw", tmp_path / "state"))
    assert time.monotonic() - begun < 8
    assert ": can't be downloaded (no connection); check the network, or set MULTIRESUNET_MIRROR" in line


def test_a_broken_run_goes_on_where_it_was(web: Web, tmp_path: Path) -> None:
    web.faults["/image/b.png"] = [404] * 20
    refusal(lambda: arrive(web, tmp_path, connections=1))  # so that what precedes it has arrived
    web.faults.clear()
    web.asked.clear()
    assert len(arrive(web, tmp_path)) == 2
    assert "/image/b.png" in web.asked
    assert "/image/a.png" not in web.asked
    web.asked.clear()
    assert len(arrive(web, tmp_path)) == 2
    assert web.asked == []


def test_a_kept_file_that_was_spoilt_is_downloaded_again(web: Web, tmp_path: Path) -> None:
    arrive(web, tmp_path)
    kept = tmp_path / "store" / f"{hashlib.sha256(web.files['/image/a.png']).hexdigest()}"
    kept.write_bytes(b"half a fi")
    web.asked.clear()
    arrive(web, tmp_path)
    assert web.asked == ["/image/a.png"]
    assert (tmp_path / "raw" / "images" / "a.png").read_bytes() == web.files["/image/a.png"]


def test_a_changed_catalog_is_refused(web: Web, tmp_path: Path) -> None:
    path, pinned = catalog_of(tmp_path, lines(web))
    path.write_text(path.read_text().replace(",g,", ",h,"))
    line = refusal(lambda: catalog.read_catalog(path, pinned))
    assert all(word in line for word in (str(path), sha256(path), pinned, "restore"))


def test_a_missing_catalog_is_refused(tmp_path: Path) -> None:
    assert "catalog.csv: this catalog is missing" in refusal(lambda: catalog.read_catalog(tmp_path / "catalog.csv", ""))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: [], ["not a readable CSV"]),
        (lambda t: t[:1], ["lists no file"]),
        (lambda t: [t[0].replace("url", "address"), *t[1:]], ["address", "expected sample, role"]),
        (lambda t: t[:-1], ["sample 'b' has image"]),
        (lambda t: [*t, t[-1]], ["sample 'b' has image,mask,mask"]),
        (lambda t: [*t[:-1], t[-1].replace("mask,", "label,", 1)], ["sample 'b' has image,label"]),
        (lambda t: [t[0], *(line.replace("a,", "../a,", 1) for line in t[1:])], ["sample '../a'"]),
        (lambda t: [*t[:-1], t[-1].replace(",g,", ",h,")], ["sample 'b' is in two groups"]),
        (lambda t: [line.replace(".png,", ".png,~", 1) for line in t], ["bytes", "'~"]),
    ],
)
def test_a_catalog_that_does_not_make_sense_is_refused(web: Web, tmp_path: Path, change: Any, words: list[str]) -> None:
    line = refusal(lambda: catalog.read_catalog(*catalog_of(tmp_path, change(lines(web)))))
    assert [word for word in [str(tmp_path), *words] if word not in line] == [], line


def test_the_repository_s_catalogs_are_sound(repository: Path) -> None:
    catalogs = sorted((repository / "catalog").glob("*.csv"))
    assert catalogs
    for path in catalogs:
        table = catalog.read_catalog(path, sha256(path))
        assert table["sha256"].str.fullmatch("[0-9a-f]{64}").all()
        assert table["url"].str.startswith("https://").all()

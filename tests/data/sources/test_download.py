"""The store of downloads: resumed, retried, mirrored, bounded, against a server that misbehaves on order."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from multiresunet.config import Fetch
from multiresunet.data.sources import download, transfer
from multiresunet.data.sources.download import fetch_files, redirected
from multiresunet.data.sources.transfer import Remote, Transfer
from multiresunet.errors import UserError
from tests.data.web import PAGE, Web

BODY = random.Random(0).randbytes(300_000)
PATH = "/a.png"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server with one file; retries wait for nothing."""
    monkeypatch.setattr(transfer, "BACKOFF", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Web()
    served.files[PATH] = BODY
    yield served
    served.close()


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def remote(web: Web, path: str = PATH, size: bool = True) -> Remote:
    body = web.files[path]
    return Remote(web.url + path, digest(body), len(body) if size else None)


def part(store: Path, body: bytes = BODY) -> Path:
    store.mkdir(exist_ok=True)
    return store / f"{digest(body)}.part"


def fetched(web: Web, store: Path, *files: Remote, **settings: Any) -> dict[str, Path]:
    return fetch_files(files or [remote(web)], store, Fetch.model_validate(settings))


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


# Resuming


@pytest.mark.parametrize("size", [True, False])
def test_a_broken_file_goes_on_where_it_stopped(web: Web, tmp_path: Path, size: bool) -> None:
    part(tmp_path / "store").write_bytes(BODY[:100_000])
    kept = fetched(web, tmp_path / "store", remote(web, size=size))
    assert kept[digest(BODY)].read_bytes() == BODY
    assert web.ranges == [(PATH, 100_000)]
    assert web.sent == 200_000
    assert [path.name for path in (tmp_path / "store").iterdir()] == [digest(BODY)]


def test_a_server_without_ranges_sends_all_of_it_again(web: Web, tmp_path: Path) -> None:
    web.has_ranges = False
    part(tmp_path / "store").write_bytes(BODY[:100_000])
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY


def test_a_line_that_breaks_again_and_again_ends_with_the_whole_file(web: Web, tmp_path: Path) -> None:
    web.faults[PATH] = ["truncate"] * 12  # more than RETRIES, each with some bytes more
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY
    assert web.sent == len(BODY)


@pytest.mark.parametrize("junk", [b"x" * 1000, b"x" * 300_000, b"x" * 400_000])
def test_a_part_that_is_something_else_is_begun_again(web: Web, tmp_path: Path, junk: bytes) -> None:
    part(tmp_path / "store").write_bytes(junk)
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY


def test_a_whole_part_needs_no_request(web: Web, tmp_path: Path) -> None:
    part(tmp_path / "store").write_bytes(BODY)
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY
    assert web.asked == []


def test_the_same_content_under_two_urls_is_downloaded_once(web: Web, tmp_path: Path) -> None:
    web.files["/b.png"] = BODY
    assert len(fetched(web, tmp_path / "store", remote(web), remote(web, "/b.png"))) == 1
    assert len(web.asked) == 1


# Side by side


@pytest.mark.parametrize("connections", [1, 4])
def test_as_many_connections_as_said(web: Web, tmp_path: Path, connections: int) -> None:
    web.delay = 0.02
    web.files = {f"/{index}.png": bytes([index]) * 8192 for index in range(12)}
    kept = fetched(web, tmp_path / "store", *(remote(web, path) for path in web.files), connections=connections)
    assert sorted(path.read_bytes() for path in kept.values()) == sorted(web.files.values())
    assert web.most_at_once == connections


def test_two_runs_that_share_a_store_download_a_file_once(web: Web, tmp_path: Path) -> None:
    web.delay = 0.001
    runs = [threading.Thread(target=fetched, args=(web, tmp_path / "store")) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert web.sent == len(BODY)
    assert (tmp_path / "store" / digest(BODY)).read_bytes() == BODY


def test_the_first_error_ends_the_run_soon(web: Web, tmp_path: Path) -> None:
    web.delay = 0.05
    web.faults[PATH] = [404]
    web.files |= {f"/{index}.png": bytes([index]) * 2_000_000 for index in range(4)}
    begun = time.monotonic()
    assert "HTTP 404" in refusal(lambda: fetched(web, tmp_path / "store", *(remote(web, path) for path in web.files)))
    assert time.monotonic() - begun < 10  # all of it would take 25 s


@pytest.mark.parametrize("size", [True, False])
def test_the_bar_knows_all_bytes_and_counts_each_once(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: bool
) -> None:
    bars: list[Any] = []
    begin = download._progress
    monkeypatch.setattr(download, "_progress", lambda: bars.append(begin()) or bars[-1])
    web.files["/b.png"] = BODY[::-1]
    part(tmp_path / "store").write_bytes(BODY[:100_000])
    web.faults["/b.png"] = ["truncate", "spoil"]
    fetched(web, tmp_path / "store", *(remote(web, path, size) for path in web.files))
    (task,) = bars[0].tasks
    assert (task.completed, task.total) == (600_000, 600_000)


# What servers do


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_will_not_get_better_is_asked_once(web: Web, tmp_path: Path, status: int) -> None:
    web.faults[PATH] = [status] * 9
    line = refusal(lambda: fetched(web, tmp_path / "store"))
    assert f"{web.url}{PATH}: can't be downloaded (HTTP {status})" in line
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, "hang up"])
def test_what_may_get_better_is_asked_again(web: Web, tmp_path: Path, status: int | str) -> None:
    web.faults[PATH] = [status] * transfer.RETRIES
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY
    assert len(web.asked) == 1 + transfer.RETRIES


@pytest.mark.parametrize("dated", [True, False])
def test_retry_after_is_honoured(web: Web, tmp_path: Path, dated: bool) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    web.faults[PATH] = [(429, {"Retry-After": later if dated else "1"})]
    begun = time.monotonic()
    fetched(web, tmp_path / "store")
    assert time.monotonic() - begun > 0.9


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 21 Oct 2015 07:28:00", "99999999999999999999"])
def test_a_retry_after_without_sense_does_no_harm(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr(transfer, "LONGEST_PAUSE", 0.1)
    web.faults[PATH] = [(503, {"Retry-After": value})]
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY


def test_pauses_grow(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(transfer, "BACKOFF", 1)
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", pauses.append)
    web.faults[PATH] = [500] * 9
    with httpx.Client() as client, pytest.raises(UserError):
        Transfer(client, remote(web), web.url + PATH, lambda size, whole=0: None, stop).to(tmp_path / digest(BODY))
    assert [0.5 <= pause / 2**index <= 1 for index, pause in enumerate(pauses)] == [True] * transfer.RETRIES


def test_a_login_page_is_called_that_and_not_kept(web: Web, tmp_path: Path) -> None:
    web.faults[PATH] = ["login"] * 9
    assert "sent a web page instead of the file, perhaps to log in" in refusal(lambda: fetched(web, tmp_path / "store"))
    assert len(web.asked) == 1
    assert part(tmp_path / "store").read_bytes() == b""


def test_a_page_without_its_content_type_is_seen_too(web: Web, tmp_path: Path) -> None:
    wanted = remote(web)
    web.files[PATH] = PAGE
    assert "a web page instead" in refusal(lambda: fetched(web, tmp_path / "store", wanted))


@pytest.mark.parametrize("size", [True, False])
def test_a_body_without_end_is_cut(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: bool) -> None:
    monkeypatch.setattr(transfer, "LIMIT", 400_000)
    web.faults[PATH] = ["lengthen"] * 9
    assert "longer than" in refusal(lambda: fetched(web, tmp_path / "store", remote(web, size=size)))
    assert part(tmp_path / "store").stat().st_size == 0


def test_other_content_is_refused_and_not_kept(web: Web, tmp_path: Path) -> None:
    web.faults[PATH] = ["spoil"] * 9
    assert "another SHA-256" in refusal(lambda: fetched(web, tmp_path / "store"))
    assert not (tmp_path / "store" / digest(BODY)).exists()
    assert part(tmp_path / "store").read_bytes() == b""


def test_a_shorter_file_there_is_refused(web: Web, tmp_path: Path) -> None:
    wanted = remote(web)
    web.files[PATH] = BODY[:1000]
    assert len(refusal(lambda: fetched(web, tmp_path / "store", wanted))) > 0
    assert not (tmp_path / "store" / digest(BODY)).exists()


@pytest.mark.parametrize(("soon", "count"), [(0.1, 1), (60, 2)])
def test_a_slow_failure_to_connect_is_not_repeated(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soon: float, count: int
) -> None:
    tries = []

    def unknown(*_: Any, **__: Any) -> Any:
        tries.append(time.sleep(0.2))
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(transfer, "SOON", soon)
    assert "(no connection)" in refusal(lambda: fetched(web, tmp_path / "store"))
    assert len(tries) == count


# Mirror


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://a.org/x/1.png", "http://m.example/k/1.png"),
        ("https://a.org/x/y%20z/1.png?q=1", "http://m.example/k/y%20z/1.png?q=1"),
        ("https://a.org/xy/1.png", "https://a.org/xy/1.png"),
        ("https://b.org/x/1.png", "https://b.org/x/1.png"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_mirror_takes_the_place_of_a_prefix(url: str, there: str, slash: str) -> None:
    mirror = {"from": f"https://a.org/x{slash}", "to": f"http://m.example/k{slash}"}
    assert redirected(url, Fetch.model_validate({"mirror": mirror})) == there
    assert redirected(url, Fetch()) == url


def test_a_folder_can_be_the_mirror(web: Web, tmp_path: Path) -> None:
    (tmp_path / "a mirror").mkdir()
    (tmp_path / "a mirror" / "a b.png").write_bytes(BODY)
    mirror = {"from": "https://a.org", "to": (tmp_path / "a mirror").as_uri()}
    wanted = Remote("https://a.org/a%20b.png", digest(BODY), len(BODY))
    assert fetched(web, tmp_path / "store", wanted, mirror=mirror)[digest(BODY)].read_bytes() == BODY
    lost = Remote("https://a.org/lost.png", "0" * 64)
    assert "a%20mirror/lost.png: can't be downloaded (HTTP 404)" in refusal(
        lambda: fetched(web, tmp_path / "store", lost, mirror=mirror)
    )


def test_a_folder_may_have_the_names_of_urls(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a mirror").mkdir()
    (tmp_path / "a mirror" / "a%20b.png").write_bytes(BODY)
    wanted = Remote("https://a.org/a%20b.png", digest(BODY), len(BODY))
    mirror = {"from": "https://a.org", "to": (tmp_path / "a mirror").as_uri()}
    assert fetched(web, tmp_path / "store", wanted, mirror=mirror)[digest(BODY)].read_bytes() == BODY
    monkeypatch.setenv("MULTIRESUNET_MIRROR", str(tmp_path / "a mirror"))
    assert fetched(web, tmp_path / "another", wanted)[digest(BODY)].read_bytes() == BODY


@pytest.mark.parametrize("named", ["http://m.example/k", "http://m.example/k/"])
def test_the_environment_s_mirror_has_every_host_s_files(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIRESUNET_MIRROR", named)
    settings = Fetch.model_validate({"mirror": {"from": "https://a.org", "to": "http://other.example"}})
    for host in ("a", "b"):
        assert redirected(f"https://{host}.org/x/y%20z/1.png?q=1", settings) == "http://m.example/k/x/y%20z/1.png?q=1"


def test_the_environment_s_mirror_can_be_a_folder_relative_to_this_one(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a mirror/x").mkdir(parents=True)
    (tmp_path / "a mirror/x/a b.png").write_bytes(BODY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MULTIRESUNET_MIRROR", "a mirror")
    wanted = Remote("https://a.org/x/a%20b.png", digest(BODY), len(BODY))
    assert fetched(web, tmp_path / "store", wanted)[digest(BODY)].read_bytes() == BODY
    assert web.asked == []
    monkeypatch.setenv("MULTIRESUNET_MIRROR", "gone")
    assert "gone: no such folder, and no URL; MULTIRESUNET_MIRROR names it" in refusal(
        lambda: fetched(web, tmp_path / "other", wanted)
    )


# Disk


def test_a_disk_too_small_is_said_beforehand(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000))
    line = refusal(lambda: fetched(web, tmp_path / "store"))
    assert "300.0 kB are to be downloaded and 200.0 kB are free; make room" in line
    assert web.asked == []
    part(tmp_path / "store").write_bytes(BODY[:150_000])
    fetched(web, tmp_path / "store")


def test_a_disk_that_fills_up_keeps_what_was_there(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/b.png"] = BODY[::-1]
    fetched(web, tmp_path / "store", remote(web, "/b.png"))

    class Full(io.FileIO):
        def write(self, block: Any) -> int:
            if self.tell() + len(block) > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(block)

    def opened(path: Path, mode: str) -> io.BufferedRandom | io.BufferedReader:
        return io.BufferedRandom(Full(path, "a+")) if "a" in mode else io.BufferedReader(io.FileIO(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        with pytest.raises(OSError, match=digest(BODY)) as caught:
            fetched(web, tmp_path / "store", remote(web), remote(web, "/b.png"))
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "store" / digest(BODY[::-1])).read_bytes() == BODY[::-1]
    assert fetched(web, tmp_path / "store")[digest(BODY)].read_bytes() == BODY

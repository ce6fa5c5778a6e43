"""Files from the web into a store addressed by content: several at once, resumed, retried, every hash checked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import random
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BufferedRandom
from pathlib import Path
from typing import Protocol

import httpx
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from multiresunet.config import Fetch
from multiresunet.errors import UserError
from multiresunet.files import sha256

RETRIES = 3  # in a row without a byte more
BACKOFF = 1.0  # seconds before the second retry; doubled each time
LONGEST_PAUSE = 120.0  # seconds
TIMEOUT = httpx.Timeout(60, connect=20)
BLOCK = 1 << 16
LIMIT = 64 << 30  # bytes of a file whose size nobody declares
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be better a little later
PAGE = (b"<!doctype html", b"<html", b"<head", b"<!--")


class Show(Protocol):
    """Takes note of how many bytes of a file there are, and of how many the whole has."""

    def __call__(self, size: int, whole: int = 0) -> None: ...


@dataclass(frozen=True)
class Remote:
    """A file on the web; `bytes` is its size where that is known."""

    url: str
    sha256: str
    bytes: int | None = None


class _PassingError(Exception):
    """What another attempt may fix."""

    def __init__(self, reason: str, fix: str = "check the network and run again", pause: float = 0) -> None:
        super().__init__(reason)
        self.fix, self.pause = fix, pause


def fetch_files(files: Iterable[Remote], store: Path, settings: Fetch) -> dict[str, Path]:
    """Bring files into the store, and leave alone what is there already.

    A file is `store/<sha256>` once its hash is right, and `store/<sha256>.part` until then, where the next run goes
    on. Processes may share a store.

    Args:
        files: what to bring; the same content is brought once.
        store: folder that is kept between runs.
        settings: connections and mirror.

    Returns:
        Path in the store, by SHA-256.

    Raises:
        UserError: naming the URL that can't be had, or whose content isn't the declared one.
        OSError: if the disk is full.
    """
    wanted = {file.sha256: file for file in files}
    store.mkdir(parents=True, exist_ok=True)
    missing = [file for file in wanted.values() if not _is_kept(store / file.sha256, file)]
    if missing:
        _check_room(store, missing)
        _bring_all(missing, store, settings)
    return {digest: store / digest for digest in wanted}


def redirected(url: str, settings: Fetch) -> str:
    """The URL, or its place on the mirror if it starts with the mirrored prefix."""
    if settings.mirror is None:
        return url
    prefix = settings.mirror.origin.rstrip("/")
    if url != prefix and not url.startswith(f"{prefix}/"):
        return url
    to = settings.mirror.to.rstrip("/").replace("file:///", "file://localhost/", 1)  # httpx wants a host
    return to + url.removeprefix(prefix)


def _is_kept(path: Path, file: Remote) -> bool:
    """Whether the store has the file; what was spoilt there is removed."""
    if path.is_file() and file.bytes in (None, path.stat().st_size) and sha256(path) == file.sha256:
        return True
    path.unlink(missing_ok=True)
    return False


def _check_room(store: Path, missing: list[Remote]) -> None:
    parts = (store / f"{file.sha256}.part" for file in missing)
    need = sum(file.bytes or 0 for file in missing) - sum(part.stat().st_size for part in parts if part.exists())
    free = shutil.disk_usage(store).free
    if need > free:
        raise UserError(f"{store}: {decimal(need)} are to be downloaded and {decimal(free)} are free; make room")


def _bring_all(files: list[Remote], store: Path, settings: Fetch) -> None:
    stop = threading.Event()
    client = httpx.Client(
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},  # sizes and hashes are those of the file as it lies there
        limits=httpx.Limits(max_connections=settings.connections),
        mounts={"file://": _Disk()},
        timeout=TIMEOUT,
    )
    with client, _progress() as progress, ThreadPoolExecutor(settings.connections) as pool:
        total = sum(file.bytes or 0 for file in files)
        task = progress.add_task(f"{len(files)} files", total=total or None)
        if progress.disable:
            print(f"downloading {len(files)} files, {decimal(total) if total else 'of unknown size'}", flush=True)

        counting = threading.Lock()

        def bring(file: Remote) -> None:
            shown, known = 0, file.bytes or 0

            def show(size: int, whole: int = 0) -> None:
                nonlocal shown, known, total
                if whole > known:  # a size that the server is the first to tell
                    with counting:
                        total += whole - known
                        progress.update(task, total=total)
                    known = whole
                progress.advance(task, size - shown)
                shown = size

            _bring(client, file, redirected(file.url, settings), store / file.sha256, show, stop)

        futures = [pool.submit(bring, file) for file in files]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # Ctrl-C too: what has arrived is kept, and nothing more is begun
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("downloading {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,  # a log file wants no bar
        transient=True,
    )


def _bring(client: httpx.Client, file: Remote, url: str, place: Path, show: Show, stop: threading.Event) -> None:
    part = place.with_name(f"{place.name}.part")
    with _locked(part) as draft:
        if place.exists():  # another process has brought it while this one waited for the lock
            part.unlink(missing_ok=True)
            return
        failures, longest = 0, -1
        while True:
            try:
                _attempt(client, file, url, draft, show, stop)
                part.replace(place)
                return
            except (_PassingError, httpx.RequestError) as error:
                size = draft.seek(0, 2)
                if size > longest:  # a bad line that brings some bytes each time does come to an end
                    failures, longest = 0, size
                failures += 1
                if failures > RETRIES:
                    raise UserError(f"{url}: {_explained(error)}") from None
                wait = max(getattr(error, "pause", 0), BACKOFF * 2 ** (failures - 1) * random.uniform(0.5, 1))
                stop.wait(min(wait, LONGEST_PAUSE))
            except httpx.InvalidURL as error:
                raise UserError(f"{url}: not a URL ({error}); fix it") from None


@contextmanager
def _locked(part: Path) -> Iterator[BufferedRandom]:
    """The part, for reading and appending, while no other process has it."""
    try:
        with part.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        if error.errno == errno.ENOSPC:  # a failed write doesn't say to which file
            raise OSError(error.errno, error.strerror, str(part)) from None
        raise


def _attempt(
    client: httpx.Client,
    file: Remote,
    url: str,
    draft: BufferedRandom,
    show: Show,
    stop: threading.Event,
) -> None:
    """Bring what the draft lacks, or all of it if the server can't send a range."""
    if stop.is_set():
        raise CancelledError
    draft.seek(0)
    hasher = hashlib.file_digest(draft, "sha256")
    size = draft.tell()
    show(size)
    if hasher.hexdigest() == file.sha256:  # killed between the last byte and the renaming
        return
    with client.stream("GET", url, headers={"Range": f"bytes={size}-"} if size else {}) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            draft.truncate(0)
            raise _PassingError("the file there has another size than is declared", "see whether it has changed there")
        _check_status(response, url)
        if size and not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
            draft.truncate(0)
            hasher, size = hashlib.sha256(), 0
        show(size, file.bytes or size + int(response.headers.get("Content-Length", 0)))
        for block in response.iter_raw():  # as it comes: blocks of one size would be lost in part if the line breaks
            if stop.is_set():
                raise CancelledError
            if _is_page(response, block if size == 0 else b""):
                draft.truncate(0)
                raise UserError(
                    f"{url}: the server sent a web page instead of the file, perhaps to log in; "
                    "open it in a browser, or set fetch.mirror to where the files can be had"
                )
            size += len(block)
            if size > (file.bytes or LIMIT):
                draft.truncate(0)
                raise _PassingError(f"what came is longer than {file.bytes or LIMIT} bytes", "see what is there")
            draft.write(block)
            hasher.update(block)
            show(size)
    draft.flush()
    if file.bytes is not None and size < file.bytes:
        raise _PassingError(f"can't be downloaded (only {size} of {file.bytes} bytes came)")
    if hasher.hexdigest() != file.sha256:
        draft.truncate(0)
        raise _PassingError(
            f"what came has another SHA-256 ({hasher.hexdigest()}) than is declared",
            "see whether the file has changed there, or a proxy sends something else",
        )


def _check_status(response: httpx.Response, url: str) -> None:
    if response.is_success:
        return
    reason = f"can't be downloaded (HTTP {response.status_code})"
    if response.status_code in PASSING:
        raise _PassingError(reason, pause=_retry_after(response.headers.get("Retry-After", "")))
    raise UserError(f"{url}: {reason}; see whether the file is there and open to you, or set fetch.mirror")


def _retry_after(value: str) -> float:
    """Seconds that a server asks for, as a number or as a date."""
    try:
        return float(value) if value.isdigit() else (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (OverflowError, TypeError, ValueError):  # no such header, a date without zone, or nonsense
        return 0


def _is_page(response: httpx.Response, start: bytes) -> bool:
    kind: str = response.headers.get("Content-Type", "")
    return kind.startswith("text/html") or start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGE)


def _explained(error: Exception) -> str:
    if isinstance(error, _PassingError):
        return f"{error}; {error.fix}"
    return f"can't be downloaded ({type(error).__name__}); check the network and run again"


class _Disk(httpx.BaseTransport):
    """Answers for file:// URLs, so that a mirror can be a folder."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = Path(request.url.path)
        if not path.is_file():
            return httpx.Response(404)
        return httpx.Response(200, headers={"Content-Length": str(path.stat().st_size)}, content=_blocks(path))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block

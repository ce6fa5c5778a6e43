"""One file from the web into a store: resumed, retried, its hash checked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BufferedRandom
from pathlib import Path
from typing import Protocol

import httpx

from multiresunet.errors import UserError

RETRIES = 3  # in a row without a byte more
RETRIES_OFFLINE = 1  # in a row without a connection: a machine without a network is told so in seconds
SOON = 3.0  # seconds; what took longer to find no connection isn't retried
BACKOFF = 1.0  # seconds before the second retry; doubled each time
LONGEST_PAUSE = 120.0  # seconds
BLOCK = 1 << 16
LIMIT = 64 << 30  # bytes of a file whose size nobody declares
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be better a little later
OFFLINE = (httpx.ConnectError, httpx.ConnectTimeout)
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


@dataclass(frozen=True)
class Transfer:
    """The download of one file.

    client: with `Disk` mounted for file://.
    file: its declared hash and size.
    url: where it is downloaded from, perhaps a mirror.
    show: called with the progress.
    stop: once set, ends the download; what has arrived is kept.
    """

    client: httpx.Client
    file: Remote
    url: str
    show: Show
    stop: threading.Event

    def to(self, place: Path) -> None:
        """Download the file to `place`, through `place`.part, which the next attempt and the next run continue.

        Raises:
            UserError: naming the URL, if it can't be downloaded or its content isn't the declared one.
            CancelledError: if it was stopped.
            OSError: if the disk is full.
        """
        part = place.with_name(f"{place.name}.part")
        with _locked(part) as draft:
            if place.exists():  # another process has fetched it while this one waited for the lock
                part.unlink(missing_ok=True)
                return
            failures, longest = 0, -1
            while True:
                begun = time.monotonic()
                try:
                    self._attempt(draft)
                    part.replace(place)
                    return
                except (_TransientError, httpx.RequestError) as error:
                    size = draft.seek(0, 2)
                    if size > longest:  # a bad line that gives some bytes each time does come to an end
                        failures, longest = 0, size
                    failures += 1
                    if failures > _retries(error, time.monotonic() - begun):
                        raise UserError(f"{self.url}: {_explained(error)}") from None
                    wait = max(getattr(error, "pause", 0), BACKOFF * 2 ** (failures - 1) * random.uniform(0.5, 1))
                    self.stop.wait(min(wait, LONGEST_PAUSE))
                except httpx.InvalidURL as error:
                    raise UserError(f"{self.url}: not a URL ({error}); fix it") from None

    def _attempt(self, draft: BufferedRandom) -> None:
        """Fetch what the draft lacks, or all of it if the server can't send a range."""
        if self.stop.is_set():
            raise CancelledError
        file, url = self.file, self.url
        draft.seek(0)
        hasher = hashlib.file_digest(draft, "sha256")
        size = draft.tell()
        self.show(size)
        if hasher.hexdigest() == file.sha256:  # killed between the last byte and the renaming
            return
        with self.client.stream("GET", url, headers={"Range": f"bytes={size}-"} if size else {}) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                draft.truncate(0)
                raise _TransientError(
                    "the file there has another size than is declared", "see whether it has changed there"
                )
            _check_status(response, url)
            if size and not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
                draft.truncate(0)
                hasher, size = hashlib.sha256(), 0
            self.show(size, file.bytes or size + int(response.headers.get("Content-Length", 0)))
            for (
                block
            ) in response.iter_raw():  # as it comes: blocks of one size would be lost in part if the line breaks
                if self.stop.is_set():
                    raise CancelledError
                if _is_page(response, block if size == 0 else b""):
                    draft.truncate(0)
                    raise UserError(
                        f"{url}: the server sent a web page instead of the file, perhaps to log in; "
                        "open it in a browser, or set MULTIRESUNET_MIRROR to where the files can be had"
                    )
                size += len(block)
                if size > (file.bytes or LIMIT):
                    draft.truncate(0)
                    raise _TransientError(f"what came is longer than {file.bytes or LIMIT} bytes", "see what is there")
                draft.write(block)
                hasher.update(block)
                self.show(size)
        draft.flush()
        if file.bytes is not None and size < file.bytes:
            raise _TransientError(f"can't be downloaded (only {size} of {file.bytes} bytes came)")
        if hasher.hexdigest() != file.sha256:
            draft.truncate(0)
            raise _TransientError(
                f"what came has another SHA-256 ({hasher.hexdigest()}) than is declared",
                "see whether the file has changed there, or a proxy sends something else",
            )


class Disk(httpx.BaseTransport):
    """Answers for file:// URLs, so that a mirror can be a folder."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The file's content, or status 404."""
        path = Path(request.url.path)
        if not path.is_file():
            return httpx.Response(404)
        return httpx.Response(200, headers={"Content-Length": str(path.stat().st_size)}, content=_blocks(path))


class _TransientError(Exception):
    """What another attempt may fix."""

    def __init__(self, reason: str, fix: str = "check the network and run again", pause: float = 0) -> None:
        super().__init__(reason)
        self.fix, self.pause = fix, pause


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


def _retries(error: Exception, seconds: float) -> int:
    """How often to try again after this error, which took so long."""
    if not isinstance(error, OFFLINE):
        return RETRIES
    return RETRIES_OFFLINE if seconds < SOON else 0


def _check_status(response: httpx.Response, url: str) -> None:
    if response.is_success:
        return
    reason = f"can't be downloaded (HTTP {response.status_code})"
    if response.status_code in TRANSIENT:
        raise _TransientError(reason, pause=_retry_after(response.headers.get("Retry-After", "")))
    raise UserError(f"{url}: {reason}; see whether the file is there and open to you, or set MULTIRESUNET_MIRROR")


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
    if isinstance(error, _TransientError):
        return f"{error}; {error.fix}"
    if isinstance(error, OFFLINE):
        return "can't be downloaded (no connection); check the network, or set MULTIRESUNET_MIRROR to a copy"
    return f"can't be downloaded ({type(error).__name__}); check the network and run again"


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block

"""Files from the web into a store addressed by content: several at once, none twice."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from multiresunet.config import Fetch
from multiresunet.data.sources.transfer import Disk, Remote, Transfer
from multiresunet.errors import UserError
from multiresunet.files import sha256

TIMEOUT = httpx.Timeout(60, connect=2)  # to connect, for each of a host's addresses
LOOKUP = "timeout:2 attempts:2"  # seconds and tries of a name server, in the words of resolv.conf; 5 if nobody says
MIRROR = "MULTIRESUNET_MIRROR"


def fetch_files(files: Iterable[Remote], store: Path, settings: Fetch) -> dict[str, Path]:
    """Download files into the store, and leave alone what is there already.

    A file is `store/<sha256>` once its hash is right, and `store/<sha256>.part` until then, where the next run goes
    on. Processes may share a store.

    Args:
        files: what to download; the same content is downloaded once.
        store: folder that is kept between runs.
        settings: connections and mirror.

    Returns:
        Path in the store, by SHA-256.

    Raises:
        UserError: naming the URL that can't be downloaded, or whose content isn't the declared one.
        OSError: if the disk is full.
    """
    wanted = {file.sha256: file for file in files}
    store.mkdir(parents=True, exist_ok=True)
    missing = [file for file in wanted.values() if not _is_kept(store / file.sha256, file)]
    if missing:
        _check_room(store, missing)
        _download(missing, store, settings)
    return {digest: store / digest for digest in wanted}


def redirected(url: str, settings: Fetch) -> str:
    """The URL, or its place on a mirror.

    $MULTIRESUNET_MIRROR, a folder or a URL, has all files, each at its own URL's path; fetch.mirror has those whose URL
    starts with its prefix.

    Raises:
        UserError: $MULTIRESUNET_MIRROR is no URL, and no folder.
    """
    if root := mirror():
        return _below(root, httpx.URL(url).raw_path.decode())
    if settings.mirror is None:
        return url
    prefix = settings.mirror.origin.rstrip("/")
    if url != prefix and not url.startswith(f"{prefix}/"):
        return url
    return _below(settings.mirror.to, url.removeprefix(prefix))


def mirror() -> str | None:
    """The URL that $MULTIRESUNET_MIRROR names, a folder's as file://…; None if it isn't set.

    Raises:
        UserError: it names neither a URL nor a folder.
    """
    named = os.environ.get(MIRROR)
    if not named or named.startswith(("http://", "https://", "file:///")):
        return named or None
    if not Path(named).is_dir():
        raise UserError(f"{named}: no such folder, and no URL; {MIRROR} names it, set that to a mirror or unset it")
    return Path(named).absolute().as_uri()


def _below(root: str, path: str) -> str:
    """The URL of a file of a mirror; on disk its name may be the URL's own, `a%20b` for one."""
    if root.startswith("file:") and (literal := Path(httpx.URL(root).path, path.lstrip("/"))).is_file():
        root, path = literal.as_uri(), ""
    return root.rstrip("/").replace("file:///", "file://localhost/", 1) + path  # httpx wants a host


def _is_kept(path: Path, file: Remote) -> bool:
    """Whether the store has the file; what was damaged there is removed."""
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


def _download(files: list[Remote], store: Path, settings: Fetch) -> None:
    stop = threading.Event()
    os.environ.setdefault("RES_OPTIONS", LOOKUP)
    client = httpx.Client(
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},  # sizes and hashes are those of the file as it lies there
        limits=httpx.Limits(max_connections=settings.connections),
        mounts={"file://": Disk()},
        timeout=TIMEOUT,
    )
    with client, _progress() as progress, ThreadPoolExecutor(settings.connections) as pool:
        total = sum(file.bytes or 0 for file in files)
        task = progress.add_task(f"{len(files)} files", total=total or None)
        if progress.disable:
            print(f"downloading {len(files)} files, {decimal(total) if total else 'of unknown size'}", flush=True)

        counting = threading.Lock()

        def download(file: Remote) -> None:
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

            Transfer(client, file, redirected(file.url, settings), show, stop).to(store / file.sha256)

        futures = [pool.submit(download, file) for file in files]
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

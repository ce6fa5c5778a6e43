"""A clean checkout of a commit, which uses DVC's cache and the users' data of the repository that it comes from."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

from multiresunet.data.sources.download import MIRROR, mirror
from multiresunet.data.sources.folder import ENVIRONMENT
from multiresunet.errors import UserError
from multiresunet.paths import INCOMING
from multiresunet.review.git import git, resolve


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A folder with nothing but the commit's files; removed afterwards.

    Raises:
        UserError: there is no such commit, or this isn't a DVC repository
    """
    with tempfile.TemporaryDirectory(prefix="multiresunet-") as parent:
        folder = Path(parent).resolve() / "worktree"
        add(commit, folder)
        try:
            yield folder
        finally:
            remove(folder)


def add(commit: str, folder: Path) -> None:
    """Check a commit out into a new folder.

    Raises:
        UserError: there is no such commit, or this isn't a DVC repository in the root of git's
    """
    full = resolve(commit)
    if above := git("rev-parse", "--show-prefix").strip():
        raise UserError(
            f"the project lies in {above} of its repository; a clean checkout needs it in the root: clone it"
        )
    cache = Path(dvc("cache", "dir").strip()).absolute()
    git("worktree", "prune")  # what a killed run left, if its folder is gone
    git("worktree", "add", "--quiet", "--detach", str(folder), full)
    try:
        _share(cache, folder)
    except BaseException:
        remove(folder)
        raise


def remove(folder: Path) -> None:
    """Remove what `add` has made."""
    git("worktree", "remove", "--force", str(folder))


def _share(cache: Path, folder: Path) -> None:
    """Write this repository's cache and remotes, local settings included, into another checkout."""
    shared = ConfigParser(interpolation=None)
    for name in ("config", "config.local"):
        one = ConfigParser(interpolation=None)
        one.read(Path(".dvc", name), encoding="utf-8")
        for section in one.values():
            if "url" in section and "://" not in section["url"]:  # a folder, relative to .dvc/
                section["url"] = str(Path(".dvc", section["url"]).absolute())
        shared.read_dict(one)
    shared.read_dict({"cache": {"dir": str(cache)}})
    with (folder / ".dvc/config.local").open("w", encoding="utf-8") as file:
        shared.write(file)


def environment() -> dict[str, str]:
    """The environment of stages in another folder: this Python first on PATH; users' data and the mirror from here."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    data = str(Path(os.environ.get(ENVIRONMENT, INCOMING)).absolute())
    found = {MIRROR: root} if (root := mirror()) else {}
    return {**os.environ, **found, "PATH": path, ENVIRONMENT: data, "DVC_NO_ANALYTICS": "1"}


def dvc(*words: str, folder: Path | None = None) -> str:
    """What a DVC command prints.

    Raises:
        UserError: it failed; with its own message
    """
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("ERROR: ", "error: "))]
        raise UserError(f"dvc {words[0]}: {(lines or done.stderr.splitlines() or ['it failed'])[-1]}")
    return done.stdout

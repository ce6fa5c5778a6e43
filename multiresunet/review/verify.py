"""`multiresunet verify`: whether the tables in git are those that their commit makes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from multiresunet import config
from multiresunet.config import FolderSource
from multiresunet.data import sources
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.paths import LOCK, STATE
from multiresunet.review.git import git
from multiresunet.review.worktree import dvc, environment, worktree


def of_commit(commit: str, from_scratch: bool = False) -> list[str]:
    """Make the commit's tables in a clean checkout and compare.

    Args:
        commit: its name
        from_scratch: run every stage, even those whose results the cache has

    Returns:
        One line for each file that isn't as it should be; causes (parameters, data) before effects (tables).

    Raises:
        UserError: there is no such commit, or a stage failed
    """
    with worktree(commit) as root:
        with suppress(UserError):  # what the cache hasn't got is made below
            dvc("checkout", folder=root)
        findings = [*_of_status(json.loads(dvc("status", "--json", folder=root))), *changed_data(root)]
        for line in findings:
            print(line, file=sys.stderr, flush=True)
        _reproduce(root, *(["--force"] if from_scratch else []))
        if tables := _stages_of_tables(root):  # again, since nothing but git vouches for what they have written
            _reproduce(root, "--force", "--single-item", *tables)
        return [*findings, *(f"{path}: the commit makes another one" for path in changed(root))]


def of_workspace() -> list[str]:
    """What differs here from the commit that is checked out: tracked files, and data that DVC tracks.

    Returns:
        One line for each file.
    """
    findings = [f"{path}: differs from the commit" for path in changed(Path())]
    findings += changed_data(Path())
    return findings + changed_folders(config.load())


def changed_folders(loaded: config.Params) -> list[str]:
    """The folders of users' data that the run reads and whose files aren't those of the pinned digest.

    DVC doesn't look at them, since they lie outside the repository. A folder that isn't on this machine can't differ.
    """
    findings = []
    for name in loaded.run.datasets:
        source = loaded.datasets[name].source
        if isinstance(source, FolderSource) and folder.is_at_hand(source.path):
            try:
                sources.checked(source, STATE)
            except UserError as error:
                findings.append(str(error))
    return findings


def changed_data(root: Path) -> list[str]:
    """The files of DVC's outputs that are there and aren't those that dvc.lock names, by their bytes.

    `dvc status` trusts the time stamps of files that it has linked from its cache itself.
    """
    cache = Path(dvc("cache", "dir", folder=root).strip())
    cache = cache if cache.is_absolute() else root / cache
    findings = []
    for out in (out for stage in _locked(root).values() for out in stage.get("outs", [])):
        path, name = root / out["path"], out["md5"]
        listing = cache / "files/md5" / name[:2] / name[2:]
        if not path.is_dir() or not name.endswith(".dir") or not listing.exists():
            continue
        wanted = {each["relpath"]: each["md5"] for each in json.loads(listing.read_text(encoding="utf-8"))}
        there = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(zip(there, pool.map(_md5, (path / file for file in there)), strict=True))
        for file in sorted(wanted.keys() | found.keys()):
            if wanted.get(file) != found.get(file):
                what = "is missing" if file not in found else "changed" if file in wanted else "is one too many"
                findings.append(f"{out['path']}/{file}: {what}, by dvc.lock")
    return findings


def _of_status(status: dict[str, list[Any]]) -> list[str]:
    findings: dict[str, None] = {}
    for stage, parts in status.items():
        for part in parts:
            if part == "changed command":
                findings[f"dvc.yaml: another command than in dvc.lock ({stage})"] = None
            for path, what in (part.get("changed deps", {}) if isinstance(part, dict) else {}).items():
                if isinstance(what, dict):
                    findings |= {f"{path}: {key} isn't what dvc.lock was made with": None for key in what}
                elif not path.startswith("data/"):
                    findings[f"{path}: isn't what dvc.lock was made with"] = None
    return list(findings)


def _stages_of_tables(root: Path) -> list[str]:
    """The stages with outputs that git keeps and DVC's cache doesn't."""
    tracked = set(git("ls-files", "-z", folder=root).split("\0"))
    return [name for name, stage in _locked(root).items() if tracked & {out["path"] for out in stage.get("outs", [])}]


def _locked(root: Path) -> dict[str, Any]:
    try:
        lock = yaml.safe_load((root / LOCK).read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    stages: dict[str, Any] = lock.get("stages", {})
    return stages


def changed(root: Path = Path()) -> list[str]:
    """The files that git tracks, or would, and that aren't those of the commit; dvc.lock last."""
    lines = git("status", "--porcelain=v1", "-z", "--no-renames", folder=root).split("\0")
    return sorted((line[3:] for line in lines if line), key=lambda path: (path == LOCK.as_posix(), path))


def _reproduce(root: Path, *words: str) -> None:
    """Run `dvc repro` with its lines on standard error.

    Raises:
        UserError: a stage failed, with its own words
    """
    command = [sys.executable, "-m", "dvc", "repro", *words]
    error = last = ""
    with subprocess.Popen(
        command, cwd=root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        assert process.stdout
        for line in filter(str.strip, process.stdout):
            print(line, end="", file=sys.stderr, flush=True)
            error, last = line if re.match("error: ", line) else error, line
    if process.returncode:
        raise UserError(f"the commit's pipeline fails: {error or last}")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

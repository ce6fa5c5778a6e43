"""How a checkout differs from what its commit records: in dvc.lock, and in numerics.lock."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from multiresunet.paths import LOCK, METRICS, NUMERICS_LOCK
from multiresunet.review import causes
from multiresunet.review.worktree import dvc

ARITHMETIC = ("arithmetic", "threads")  # keys of a recipe: they change the order of sums, and nothing else


def of_status(root: Path) -> tuple[list[str], list[str]]:
    """The commands, parameters and code that aren't those of dvc.lock.

    Returns:
        A line each; and those about a recipe's arithmetic, which change the order of sums, and nothing else.
    """
    findings: dict[str, None] = {}
    notes: dict[str, None] = {}
    for stage, parts in json.loads(dvc("status", "--json", folder=root)).items():
        for part in parts:
            if part == "changed command":
                findings[f"dvc.yaml: another command than in dvc.lock ({stage})"] = None
            for path, what in (part.get("changed deps", {}) if isinstance(part, dict) else {}).items():
                if isinstance(what, dict):
                    for key in _keys(root, stage, path, what):
                        is_note = key.startswith("recipes.") and key.rpartition(".")[2] in ARITHMETIC
                        (notes if is_note else findings)[f"{path}: {key} isn't what dvc.lock was made with"] = None
                elif not path.startswith("data/"):
                    findings[f"{path}: isn't what dvc.lock was made with"] = None
    return list(findings), list(notes)


def _keys(root: Path, stage: str, path: str, declared: Iterable[str]) -> Iterator[str]:
    """The parameters that differ, of those that a stage declares, which may be whole branches."""
    recorded = locked(root).get(stage, {}).get("params", {}).get(path, {})
    tree = _loaded(root / path)
    for key in declared:
        now = tree
        for word in key.split("."):
            now = now.get(word) if isinstance(now, dict) else None
        was = recorded.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from (setting.key for setting in causes.of_branch(f"{key}.", was, now))
        else:
            yield key


def changed_tables(root: Path) -> list[str]:
    """The tables that aren't those which dvc.lock names, by their bytes."""
    outs = (out for stage in locked(root).values() for out in stage.get("outs", []))
    return [
        f"{out['path']}: edited, since dvc.lock records another one"
        for out in outs
        if out["path"].startswith(f"{METRICS}/")
        if not (root / out["path"]).is_file() or md5(root / out["path"]) != out["md5"]
    ]


def changed_data(root: Path) -> list[str]:
    """The files of DVC's outputs that are there and aren't those that dvc.lock names, by their bytes.

    `dvc status` trusts the time stamps of files that it has linked from its cache itself.
    """
    cache = Path(dvc("cache", "dir", folder=root).strip())
    cache = cache if cache.is_absolute() else root / cache
    findings = []
    for out in (out for stage in locked(root).values() for out in stage.get("outs", [])):
        path, name = root / out["path"], out["md5"]
        listing = cache / "files/md5" / name[:2] / name[2:]
        if not path.is_dir() or not name.endswith(".dir") or not listing.exists():
            continue
        wanted = {each["relpath"]: each["md5"] for each in json.loads(listing.read_text(encoding="utf-8"))}
        there = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = dict(zip(there, pool.map(md5, (path / file for file in there)), strict=True))
        for file in sorted(wanted.keys() | found.keys()):
            if wanted.get(file) != found.get(file):
                what = "is missing" if file not in found else "changed" if file in wanted else "is one too many"
                findings.append(f"{out['path']}/{file}: {what}, by dvc.lock")
    return findings


def other_versions(root: Path) -> Iterator[str]:
    """The libraries of numerics.lock that are installed here in another version, or not at all."""
    path = root / NUMERICS_LOCK
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        name, _, pinned = line.partition("==")
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found.partition("+")[0] != pinned:  # PyTorch's builds name their device behind a +
            yield f"{name}: {found} is installed, {NUMERICS_LOCK} names {pinned}"


def locked(root: Path) -> dict[str, Any]:
    """The stages of dvc.lock; none if there is no such file."""
    try:
        lock = _loaded(root / LOCK) or {}
    except FileNotFoundError:
        return {}
    stages: dict[str, Any] = lock.get("stages", {})
    return stages


def _loaded(path: Path) -> Any:
    """A file as YAML 1.2, which DVC writes and reads: to PyYAML, 1e-07 is a text."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def md5(path: Path) -> str:
    """MD5 of a file, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

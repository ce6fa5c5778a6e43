"""Why tables differ: the changed parameters, data and code of two commits, from params.yaml and dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from multiresunet.config import tree_of
from multiresunet.errors import UserError
from multiresunet.paths import LOCK, PARAMS, RAW
from multiresunet.review.git import Tree


@dataclass(frozen=True)
class Setting:
    """A key of params.yaml, or a whole branch that is new or gone."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Data:
    """A data set's raw files, by DVC's hash; None where it isn't part of the run."""

    dataset: str
    old: tuple[str, int] | None  # hash, number of files
    new: tuple[str, int] | None


def of_params(old: Tree, new: Tree) -> list[Setting]:
    """The changed keys of params.yaml, in its order.

    Raises:
        UserError: it can't be read
    """
    return list(of_branch("", _loaded(old, PARAMS), _loaded(new, PARAMS)))


def of_recorded_params(old: Tree, new: Tree) -> list[Setting]:
    """The parameters that stages of both sides were made with, by dvc.lock, and that aren't the same.

    A commit's tables may be older than its params.yaml.
    """
    before, after = (_loaded(tree, LOCK).get("stages", {}) for tree in (old, new))
    found: dict[str, Setting] = {}
    try:
        for stage in after.keys() & before.keys():
            was, now = (side[stage].get("params", {}).get(PARAMS.as_posix(), {}) for side in (before, after))
            declared = was.keys() & now.keys()  # dvc.yaml may name others now
            both = ({key: side[key] for key in declared} for side in (was, now))
            found |= {each.key: each for each in of_branch("", *both)}
    except AttributeError:
        raise UserError(f"{LOCK} isn't what DVC writes; restore it from git") from None
    return [found[key] for key in sorted(found)]


def of_branch(prefix: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Setting]:
    """The keys below `prefix` whose values aren't the same in two branches of params.yaml."""
    for key in dict.fromkeys([*new, *old]):
        was, now, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(was, dict) and isinstance(now, dict):
            yield from of_branch(f"{name}.", was, now)
        elif was != now or (key in old) != (key in new):
            yield Setting(name, was, now)


def of_data(old: Tree, new: Tree) -> list[Data]:
    """The data sets whose raw files aren't the same."""
    before, after = (_raw(tree) for tree in (old, new))
    names = dict.fromkeys([*after, *before])
    return [Data(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _raw(tree: Tree) -> dict[str, tuple[str, int]]:
    folder = f"{RAW.as_posix()}/"
    return {
        path.removeprefix(folder): (md5, count) for path, md5, count in _locked(tree, "outs") if path.startswith(folder)
    }


def of_code(old: Tree, new: Tree) -> list[str]:
    """The code that stages of both sides depend on and that isn't the same, by path."""
    before, after = (_code(tree) for tree in (old, new))
    return sorted(path for path in before.keys() & after.keys() if before[path] != after[path])


def _code(tree: Tree) -> dict[str, str]:
    return {path: md5 for path, md5, _ in _locked(tree, "deps") if not path.startswith("data/")}


def _locked(tree: Tree, kind: str) -> list[tuple[str, str, int]]:
    """Path, hash and number of files of all `outs` or `deps` in dvc.lock."""
    try:
        return [
            (str(entry["path"]), str(entry["md5"]), int(entry.get("nfiles", 1)))
            for stage in _loaded(tree, LOCK).get("stages", {}).values()
            for entry in stage.get(kind, [])
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{LOCK} of {tree.name} isn't what DVC writes; restore it from git") from None


def _loaded(tree: Tree, path: Path) -> dict[str, Any]:
    origin = f"{path} of {tree.name}"
    found = _parsed(tree.read(path.as_posix()) or "", origin)
    if not isinstance(found, dict | None):
        raise UserError(f"{origin} holds no keys; restore it from git")
    return found or {}


@lru_cache(maxsize=4)  # dvc.lock has ten thousand lines, and each question above is about two of them
def _parsed(text: str, origin: str) -> Any:
    return tree_of(text, origin)

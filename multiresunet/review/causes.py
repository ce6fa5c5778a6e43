"""Why tables differ: the changed parameters, data and code of two commits, from params.yaml and dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from multiresunet.config import tree_of
from multiresunet.errors import UserError
from multiresunet.paths import LOCK, PARAMS, RAW
from multiresunet.review.git import Tree

PIPELINE = Path("dvc.yaml")


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
    found: dict[str, Setting] = {}
    try:
        before, after = (_stages(tree) for tree in (old, new))
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


def _code(tree: Tree) -> dict[str, set[str]]:
    """By path, the hashes that stages were run with: several if some stages are older than others."""
    found: dict[str, set[str]] = {}
    for path, md5, _ in _locked(tree, "deps"):
        if not path.startswith("data/"):
            found.setdefault(path, set()).add(md5)
    return found


def _locked(tree: Tree, kind: str) -> list[tuple[str, str, int]]:
    """Path, hash and number of files of all `outs` or `deps` of a tree's stages, by dvc.lock."""
    try:
        return [
            (str(entry["path"]), str(entry["md5"]), int(entry.get("nfiles", 1)))
            for stage in _stages(tree).values()
            for entry in stage.get(kind, [])
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{LOCK} of {tree.name} isn't what DVC writes; restore it from git") from None


def _stages(tree: Tree) -> dict[str, Any]:
    """The entries in dvc.lock of the stages that are in a tree's run; DVC keeps those of stages that have left it."""
    own = _names(tree)
    return {name: one for name, one in _loaded(tree, LOCK).get("stages", {}).items() if own is None or name in own}


def _names(tree: Tree) -> set[str] | None:
    """What DVC calls the stages of dvc.yaml; None if it has none, or another form than this project's."""
    params = _loaded(tree, PARAMS)
    found = set()
    try:
        for name, stage in _loaded(tree, PIPELINE)["stages"].items():
            axes = [_value(params, text) for text in stage.get("matrix", {}).values()]
            found |= {f"{name}@{'-'.join(map(str, item))}".removesuffix("@") for item in product(*axes)}
    except (AttributeError, KeyError, TypeError):
        return None
    return found


def _value(params: dict[str, Any], text: str) -> list[Any]:
    """What `${run.datasets}`, say, stands for."""
    found: Any = params
    for key in text.removeprefix("${").removesuffix("}").split("."):
        found = found[key]
    return list(found)


def _loaded(tree: Tree, path: Path) -> dict[str, Any]:
    origin = f"{path} of {tree.name}"
    found = _parsed(tree.read(path.as_posix()) or "", origin)
    if not isinstance(found, dict | None):
        raise UserError(f"{origin} holds no keys; restore it from git")
    return found or {}


@lru_cache(maxsize=6)  # dvc.lock has ten thousand lines, and each question above is about two of them
def _parsed(text: str, origin: str) -> Any:
    return tree_of(text, origin)

"""Why tables differ: the changed parameters, data and code of two commits, from params.yaml and dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

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
    """The changed keys of params.yaml, in its order."""
    before, after = (yaml.safe_load(tree.read(PARAMS.as_posix()) or "") or {} for tree in (old, new))
    return list(of_branch("", before, after))


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
    before, after = (_raw(_stages(tree)) for tree in (old, new))
    names = dict.fromkeys([*after, *before])
    return [Data(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _raw(stages: dict[str, Any]) -> dict[str, tuple[str, int]]:
    folder = f"{RAW.as_posix()}/"
    return {
        out["path"].removeprefix(folder): (out["md5"], out.get("nfiles", 1))
        for stage in stages.values()
        for out in stage.get("outs", [])
        if out["path"].startswith(folder)
    }


def of_code(old: Tree, new: Tree) -> list[str]:
    """The code that stages of both sides depend on and that isn't the same, by path."""
    before, after = (_code(_stages(tree)) for tree in (old, new))
    return sorted(path for path in before.keys() & after.keys() if before[path] != after[path])


def _code(stages: dict[str, Any]) -> dict[str, str]:
    return {
        dep["path"]: dep["md5"]
        for stage in stages.values()
        for dep in stage.get("deps", [])
        if not dep["path"].startswith("data/")
    }


def _stages(tree: Tree) -> dict[str, Any]:
    lock = yaml.safe_load(tree.read(LOCK.as_posix()) or "") or {}
    stages: dict[str, Any] = lock.get("stages", {})
    return stages

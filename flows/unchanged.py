"""What a stage depends on may not change while it runs.

A stage reads its parameters and code when it begins, and DVC hashes them once more when it has ended. An edit between
the two would be recorded, in dvc.lock and in the run cache, as what the results were made with.

What a run with other data sets or models has left is no input: `evaluate` and `report` remove it from the folders that
they read (`keep_only` in stages/running.py), since a fresh clone wouldn't have it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.stage import Stage

from multiresunet.files import some_of

BEGUN = "_begun_with"  # a stage's attribute: of each dependency, when it began, the hash and what was hashed

_plain_run = Stage._run_stage
_plain_save = Stage.save_deps


def watch() -> None:
    """Let DVC, in this process, refuse to record a stage of which a dependency has changed since it began."""
    Stage._run_stage = _run
    Stage.save_deps = _save


def _run(stage: Stage, dry: bool, force: bool, **settings: Any) -> None:
    # Unless forced, DVC hashes them itself before a command, and before it takes results from the run cache.
    if force and not dry:
        stage.save_deps(allow_missing=True)
    _plain_run(stage, dry, force, **settings)
    setattr(stage, BEGUN, [(dependency.hash_info, dependency.obj) for dependency in stage.deps])


def _save(stage: Stage, allow_missing: bool = False) -> None:
    """DVC's, which hashes the dependencies; after a command, nothing of the stage is written yet."""
    _plain_save(stage, allow_missing=allow_missing)
    before = stage.__dict__.pop(BEGUN, [])
    changed = [
        name
        for dependency, (hashed, content) in zip(stage.deps, before, strict=False)
        if dependency.hash_info != hashed
        for name in _names(stage, dependency, hashed, content)
    ]
    if changed:
        line = f"{some_of(changed, 3)} changed while {stage.addressing} ran, so nothing of it is recorded; run again"
        print(f"error: {line}", file=sys.stderr, flush=True)  # as a stage would say it; DVC puts more around it
        raise DvcException(line)


def _names(stage: Stage, dependency: Any, hashed: Any, content: Any) -> list[str]:
    """What has changed of a dependency: keys of a file of parameters, files of a folder, or the file itself."""
    if isinstance(dependency, ParamsDependency):
        old, new = hashed.value or {}, dependency.hash_info.value or {}
        return [f"{key} in {dependency}" for key in {**old, **new} if old.get(key) != new.get(key)]
    if hashed and hashed.isdir and dependency.hash_info.isdir:
        old, new = ({key: found for key, _, found in tree} for tree in (content, dependency.obj))
        left = _left_over(stage, dependency, [key for key in old if key not in new])
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key) and key not in left]
        return ["/".join([str(dependency), *key]) for key in changed]
    return [str(dependency)]


def _left_over(stage: Stage, dependency: Any, gone: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those of the files gone from a folder of stages' outputs that no stage makes any more."""
    folder = Path(dependency.fs_path)
    made = [path for out in stage.repo.index.outs if (path := Path(out.fs_path)) != folder and folder in path.parents]
    return {key for key in gone if made and not any(folder.joinpath(*key).is_relative_to(path) for path in made)}

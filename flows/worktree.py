"""The folder that a flow works in: one flow at a time, no traces of killed ones, its params.yaml."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml
from dvc.config import Config

from multiresunet import config
from multiresunet.config import editing
from multiresunet.errors import UserError
from multiresunet.files import write_text
from multiresunet.paths import LOCK, PARAMS
from multiresunet.review.git import git

OWN_LOCK = Path(".dvc/tmp/flow.lock")
RWLOCK = Path(".dvc/tmp/rwlock")
DVC_LOCK = Path(".dvc/tmp/lock")  # which each DVC holds while it reads and writes dvc.lock


@contextmanager
def alone(log: logging.Logger | logging.LoggerAdapter[Any]) -> Iterator[int]:
    """Wait until no other flow works in this folder, and keep others out.

    Yields:
        A file descriptor. The lock holds until all processes that have it are gone, killed or not, so a stage's
        watchdog that inherits it keeps the next flow waiting until the stage has ended.
    """
    with locked(OWN_LOCK, log) as descriptor:
        tidy(log)
        use_git_if_there(log)
        yield descriptor


@contextmanager
def locked(
    path: Path, log: logging.Logger | logging.LoggerAdapter[Any], busy: str = "Another run is at work in this folder"
) -> Iterator[int]:
    """Wait for a lock, which is told as `busy` if others have it, and hold it; a file descriptor of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s; waiting for its end", busy)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def use_git_if_there(log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    """Let DVC work without git where there is none: in a folder that came as a zip file."""
    here = Path.cwd()
    has_git = any((folder / ".git").exists() for folder in (here, *here.parents))
    own = here / ".dvc/config.local"
    if not has_git and not (own.exists() and "no_scm" in own.read_text(encoding="utf-8")):
        log.warning("This folder has no git repository; the run goes on, and its tables name no commit")
        with Config(str(here / ".dvc")).edit("local") as settings:
            settings["core"]["no_scm"] = True
    elif has_git and own.exists() and "no_scm" in own.read_text(encoding="utf-8"):
        with Config(str(here / ".dvc")).edit("local") as settings:
            settings["core"].pop("no_scm", None)


def tidy(log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    """Repair what DVC has left if it was killed: locks of dead processes, and files that it was just writing.

    DVC itself takes a dead process for alive when another one has got its number since.
    """
    if RWLOCK.exists():
        try:
            held = json.loads(RWLOCK.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            log.warning("%s was half written; removed", RWLOCK)
            RWLOCK.unlink()
        else:
            write = {path: info for path, info in held.get("write", {}).items() if _is_dvc(info["pid"])}
            read = {path: [i for i in infos if _is_dvc(i["pid"])] for path, infos in held.get("read", {}).items()}
            kept = {"write": write, "read": {path: infos for path, infos in read.items() if infos}}
            if kept != {"write": held.get("write", {}), "read": held.get("read", {})}:
                write_text(RWLOCK, json.dumps(kept))
    with locked(DVC_LOCK, log, "DVC is at work in this folder"):  # and may be just writing
        if LOCK.exists() and not _is_whole(LOCK):
            log.warning("%s was half written; taken from the last commit, and the stages' results from the cache", LOCK)
            try:
                write_text(LOCK, git("show", f"HEAD:./{LOCK}"))
            except UserError:  # it has never been committed
                LOCK.unlink()


def _is_dvc(pid: int) -> bool:
    try:
        return any("dvc" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _is_whole(path: Path) -> bool:
    from flows.lockfile import split  # loads DVC

    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return bool(split(text)) or isinstance(yaml.safe_load(text).get("stages"), dict)
    except (yaml.YAMLError, AttributeError):
        return False


def _still_tuned(tree: Any, changes: Mapping[str, object]) -> dict[str, object]:
    """What `run.tuned` must be, so that it names nothing that leaves the run."""
    for key in ("run", "tuned"):
        tree = tree.get(key) if isinstance(tree, dict) else None
    tuned = tree if isinstance(tree, dict) else {}
    return {
        f"run.tuned.{key}": kept
        for key, names in tuned.items()
        if isinstance(names, list)
        and isinstance(run := changes.get(f"run.{key}"), Sequence)
        and (kept := [name for name in names if name in run]) != names
    }


def configure(changes: Mapping[str, object]) -> None:
    """Write values into params.yaml, and touch no other byte of it, so that the change can be reviewed.

    Args:
        changes: key with dots, say `run.recipe` → value

    Raises:
        UserError: params.yaml would be wrong with these values; it is left as it was
    """
    if not changes:
        return
    text = config.text_of()
    text = editing.set_values(text, {**changes, **_still_tuned(config.tree_of(text), changes)})
    config.parse_text(text)
    write_text(PARAMS, text)

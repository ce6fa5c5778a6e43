"""DVC's graph: which stage needs which, and what is stale. Nothing but DVC decides what is up to date."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import plan_repro

from flows import lockfile, parameters
from flows.busy import quicken, when_free
from flows.guess import newest
from flows.worktree import DVC_LOCK, locked
from multiresunet.errors import UserError
from multiresunet.files import write_text
from multiresunet.paths import LOCK, PARAMS
from multiresunet.review.git import git

LOG = logging.getLogger(__name__)
FEW = 8  # stages that are quicker to ask about one by one than all stages at once
FIXABLE = (UserError, DvcException)  # errors that a user can fix: one line, no traceback


class Graph:
    """The stages of the DVC project in the current folder, by name."""

    def __init__(self) -> None:
        """Read dvc.yaml, and ask DVC which stages are stale.

        Raises:
            DvcException: there is no DVC project here, or its dvc.yaml is wrong
        """
        quicken()
        lockfile.quicken()
        parameters.quicken()
        self._read = read_from()
        # In this process, the status of one stage takes 0.1 s; as a command, 1.3 s. Another `dvc status` may hold
        # the lock for a moment.
        self._repo = Repo(_wait_for_lock=True)
        self._asking = threading.Lock()  # a Repo is for one thread at a time

        def read() -> tuple[Any, frozenset[str]]:
            with lock_repo(self._repo):  # under one lock DVC reads all stages once
                return self._repo.index.graph, frozenset(self._repo.status())

        graph, stale = when_free(read, LOG)
        #: All stages that `dvc status` lists now.
        self.stale_at_first: frozenset[str] = stale
        self.needs: dict[str, set[str]] = {
            stage.addressing: {upstream.addressing for upstream in graph.successors(stage)} for stage in graph
        }

        #: How many stages come after each, one after the other: the longest way to the end begins first.
        self.behind = behind(self.needs)
        #: Whether there is a remote to push to.
        self.has_remote = bool(self._repo.config["core"].get("remote"))
        #: Stages with outputs that git keeps; DVC's run cache doesn't carry these from machine to machine.
        self.in_git = {stage.addressing for stage in graph if any(not out.use_cache for out in stage.outs)}

    def is_current(self) -> bool:
        """Whether what it was read from, in the current folder, is still the same."""
        return self._read == read_from()

    def select(self, targets: Collection[str]) -> set[str]:
        """The stages that `targets` need, and they themselves; all stages if there are no targets.

        Args:
            targets: names (`train@nuclei-unet-1`) or all of a kind (`train`)

        Raises:
            UserError: a target is neither
        """
        wanted: set[str] = set()
        todo: list[str] = [] if targets else list(self.needs)
        for target in targets:
            found = [name for name in self.needs if target in (name, name.partition("@")[0])]
            if not found:
                raise UserError(f"{target!r} is no stage of dvc.yaml; `dvc stage list` names all")
            todo += found
        while todo:
            name = todo.pop()
            if name not in wanted:
                wanted.add(name)
                todo += self.needs[name]
        return wanted

    def due(self, names: Collection[str]) -> dict[str, set[str]]:
        """Those of `names` that a run may have to run, as `affected` gives them."""
        return affected(self.needs, names, self.stale_at_first.intersection(names))

    def stale(self, names: Collection[str]) -> set[str]:
        """Those of `names` that `dvc status` lists now."""
        if not names:
            return set()
        targets = list(names) if len(names) <= FEW else None
        with self._asking:
            return set(names).intersection(when_free(lambda: self._repo.status(targets), LOG))

    def sort_lock(self) -> None:
        """Sort dvc.lock as a serial `dvc repro` does; side by side, stages have ended in any order.

        DVC leaves a stage that the file already has where it is, and appends a new one when it has run. The commit's
        file counts, since the one here may be what a killed run has left. A file of another form than DVC's own
        stays as it is.
        """
        if not LOCK.exists():
            return
        plan = [stage.addressing for stage in plan_repro(self._repo.index.graph)]
        first = [*committed_stages(), *plan]
        with locked(DVC_LOCK, LOG, "DVC is at work in this folder"):
            text = LOCK.read_text(encoding="utf-8")
            if parts := lockfile.split(text):
                order = dict.fromkeys([*first, *parts])
                if (ordered := lockfile.join(parts[name] for name in order if name in parts)) != text:
                    write_text(LOCK, ordered)


def read_from() -> list[object]:
    """The folder that a graph is of, its files, and when code was changed last."""
    files = (Path("dvc.yaml"), LOCK, PARAMS)
    return [Path.cwd(), newest(), *(path.read_bytes() if path.exists() else b"" for path in files)]


def committed_stages() -> list[str]:
    """The stages of the commit's dvc.lock, in its order; none if there is no commit yet."""
    try:
        return list(lockfile.split(git("show", "HEAD:./dvc.lock")) or {})
    except UserError:
        return []


def behind(needs: Mapping[str, Collection[str]]) -> dict[str, int]:
    """For each stage the length of the longest chain of stages that need it and each other.

    Args:
        needs: stage → stages that it needs directly
    """
    found = dict.fromkeys(needs, 0)
    for name in reversed(list(TopologicalSorter(needs).static_order())):
        for upstream in needs[name]:
            found[upstream] = max(found[upstream], found[name] + 1)
    return found


def affected(needs: dict[str, set[str]], names: Collection[str], stale: Collection[str]) -> dict[str, set[str]]:
    """The stages that a run may have to run: stale ones, and those that need one of them, directly or not.

    Args:
        needs: stage → stages that it needs directly
        names: the run's stages
        stale: those of them that are stale now

    Returns:
        Stage → affected stages that it needs directly; upstream first.
    """
    found: dict[str, set[str]] = {}
    for name in TopologicalSorter({name: sorted(needs[name]) for name in sorted(names)}).static_order():
        upstream = needs[name] & found.keys()
        if upstream or name in stale:
            found[name] = upstream
    return found

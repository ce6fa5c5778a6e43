"""DVC's graph: which stage needs which, and what is stale. Nothing but DVC decides what is up to date."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import TopologicalSorter

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import plan_repro
from dvc.utils.serialize import modify_yaml

from multiresunet.errors import UserError
from multiresunet.review.git import git

MENDABLE = (UserError, DvcException)  # errors that are one line


class Graph:
    """The stages of the DVC project in the current folder, by name."""

    def __init__(self) -> None:
        """Read dvc.yaml.

        Raises:
            DvcException: there is no DVC project here, or its dvc.yaml is wrong
        """
        # In this process a status of one stage costs 0.1 s, as a command 1.3 s. Somebody else's `dvc status`
        # may hold the lock for a moment.
        self._repo = Repo(_wait_for_lock=True)
        graph = self._repo.index.graph
        self.needs: dict[str, set[str]] = {
            stage.addressing: {upstream.addressing for upstream in graph.successors(stage)} for stage in graph
        }

        #: Stages with outputs that git keeps; DVC's run cache doesn't carry these from machine to machine.
        self.in_git = {stage.addressing for stage in graph if any(not out.use_cache for out in stage.outs)}

    def select(self, targets: Collection[str]) -> set[str]:
        """The stages that `targets` need, and they themselves.

        Args:
            targets: names (`train@nuclei-unet`) or all of a kind (`train`)

        Raises:
            UserError: a target is neither
        """
        wanted: set[str] = set()
        todo: list[str] = []
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

    def stale(self, names: Collection[str] | None = None) -> set[str]:
        """Those of `names`, or of all stages, that `dvc status` lists now."""
        return set(self._repo.status(names and list(names)))

    def sort_lock(self) -> None:
        """Bring dvc.lock into the order of a serial `dvc repro`; side by side, stages have ended in any order.

        DVC leaves a stage that the file already has where it is, and appends a new one when it has run. The commit's
        file counts, since the one here may be what a killed run has left.
        """
        plan = [stage.addressing for stage in plan_repro(self._repo.index.graph)]
        with modify_yaml("dvc.lock") as lock:
            order = dict.fromkeys([*committed_stages(), *plan, *lock["stages"]])
            lock["stages"] = {name: lock["stages"][name] for name in order if name in lock["stages"]}


def committed_stages() -> list[str]:
    """The stages of the commit's dvc.lock, in its order; none if there is no commit yet."""
    try:
        return list((yaml.safe_load(git("show", "HEAD:./dvc.lock")) or {}).get("stages", {}))
    except UserError:
        return []


class Walk:
    """What to run next: stale stages, each as soon as all that it needs is done.

    A stage is stale because it was so from the start or because one that it needs has run. DVC is asked again
    about these alone, when their turn has come: what ran may have written what was there before.
    """

    def __init__(self, graph: Graph, names: Collection[str] | None = None) -> None:
        """`names`: stages with all that they need; None for all stages."""
        self._graph = graph
        self._suspects = graph.stale(names)
        self._order = TopologicalSorter({name: graph.needs[name] for name in (graph.needs if names is None else names)})
        self._order.prepare()

    def ready(self) -> list[str]:
        """Stages to run now, each named once. None: wait for one that runs, or stop if none does."""
        ready: list[str] = []
        while names := self._order.get_ready():
            suspects = self._suspects.intersection(names)
            stale = self._graph.stale(suspects) if suspects else set()
            ready += [name for name in names if name in stale]
            self._order.done(*(name for name in names if name not in stale))
        return ready

    def done(self, name: str) -> None:
        """Take note that a stage has run."""
        self._order.done(name)
        self._suspects.update(stage for stage, needs in self._graph.needs.items() if name in needs)

"""What a command has begun for its flow before it loads Prefect: DVC's graph is read, and processes load DVC."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from flows.commands import Commands
from flows.graph import Graph
from flows.resources import Resources
from flows.worktree import alone


class Begun:
    """A folder that is this run's alone, and what has begun in it."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self._graph: Graph | None = None
        self._due = dict[str, set[str]]()

    def due(self, targets: Collection[str]) -> dict[str, set[str]]:
        """Read DVC's graph: the stages that have to run for `targets`, with those that each waits for.

        Raises:
            DvcException: as `Graph`
            UserError: a target is no stage
        """
        self._graph = Graph()
        self._due = self._graph.due(self._graph.select(targets))
        if not self._due:  # a run may have been killed when all was made, before it sorted that
            self._graph.sort_lock()
        return self._due

    def prepare(self, cores: int | None, gpus: Sequence[str] | None) -> None:
        """Start processes for those of `due` that begin first; cores and GPUs are as `Resources` takes them."""
        self.commands.prepare(len(self._due), Resources(cores, gpus).side_by_side(self._due))

    def graph(self) -> Graph:
        """The graph that was read if it is current; else one that is read now, in a second.

        Raises:
            DvcException: as `Graph`
        """
        graph, self._graph = self._graph, None
        return graph if graph and graph.is_current() else Graph()


@contextmanager
def begin(log: logging.Logger | logging.LoggerAdapter[Any]) -> Iterator[Begun]:
    """Wait until no other flow works in this folder, and keep others out; what has begun here ends with the context."""
    with alone(log) as lock, closing(Commands(lock)) as commands:
        yield Begun(commands)


_handed: list[Begun] = []


def hand_over(begun: Begun) -> None:
    """Keep for `taken` what has begun, in the folder in which the flow is to work."""
    _handed[:] = [begun]


def taken() -> Begun | None:
    """What was handed over, once; None if nothing was."""
    return _handed.pop() if _handed else None

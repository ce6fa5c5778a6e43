"""What a run shows on a terminal: stages done of all, a bar for each that runs, the time left, and a closing table.

Where lines go to a file or a pipe, Prefect's log has them, and this shows nothing.
"""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.artifacts import percent
from multiresunet.files import write_text
from multiresunet.paths import STATE, SUMMARY

TOOK = STATE / "seconds.json"  # how long each stage took the last time
COLUMNS = 8  # of the closing table


class Display:
    """Shows nothing; the form of what does."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        pass

    def plan(self, names: Collection[str], at_once: int) -> None:
        """Take note of the stages that may have to run, and how many run side by side."""

    def begin(self, name: str) -> None:
        """A stage begins."""

    def line(self, name: str, line: str) -> None:
        """A stage says something."""

    def end(self, name: str, ran: bool) -> None:
        """A stage has ended well, or needn't run."""


class Terminal(Display):
    """The live display."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
        )
        self._running = Progress(*columns, console=console, transient=True)
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._left: set[str] = set()
        self._at_once, self._ran, self._start = 1, 0, time.monotonic()
        self._took: dict[str, float] = {}
        with suppress(OSError, ValueError):
            self._took = {str(name): float(took) for name, took in json.loads(TOOK.read_text(encoding="utf-8")).items()}

    def __enter__(self) -> Display:
        self._quiet = [
            (handler, handler.level)
            for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs")
            for handler in logging.getLogger(name).handlers
            if type(handler).__name__ == "PrefectConsoleHandler"
        ]
        for handler, _ in self._quiet:  # the server gets all lines as before
            handler.setLevel(logging.WARNING)
        self._running.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._running.stop()
        for handler, level in self._quiet:
            handler.setLevel(level)
        with suppress(OSError):
            write_text(TOOK, json.dumps(self._took, indent=1, sort_keys=True))
        if kind is None:
            self._close()

    def _close(self) -> None:
        seconds = round(time.monotonic() - self._start)
        self._console.print(f"{self._ran} stages run in {seconds // 60}:{seconds % 60:02}")
        if not SUMMARY.exists():
            return
        with SUMMARY.open(newline="", encoding="utf-8") as file:
            first, *rows = csv.reader(file)
        table = Table(*first[:COLUMNS], caption=f"{SUMMARY}" + (", first columns" if len(first) > COLUMNS else ""))
        for row in rows:
            table.add_row(*row[:COLUMNS])
        self._console.print(table)

    def plan(self, names: Collection[str], at_once: int) -> None:
        """See Display."""
        self._left, self._at_once = set(names), max(1, at_once)
        self._all = self._running.add_task("stages", total=len(names), said=self._remaining())

    def _remaining(self) -> str:
        if not self._left or not self._took:
            return f"{len(self._left)} left"
        usual = sum(self._took.values()) / len(self._took)
        seconds = sum(self._took.get(name, usual) for name in self._left) / self._at_once
        when = f"about {round(seconds / 60)} min" if seconds >= 60 else "less than 1 min"
        return f"{len(self._left)} left, {when}"

    def begin(self, name: str) -> None:
        """See Display."""
        self._began[name] = time.monotonic()
        if name not in self._tasks:
            self._tasks[name] = self._running.add_task(name, total=None, said="")

    def line(self, name: str, line: str) -> None:
        """See Display."""
        share = percent(line)
        if share is not None:
            self._running.update(self._tasks[name], total=100, completed=share, said=f"{share:.0f} %")

    def end(self, name: str, ran: bool) -> None:
        """See Display."""
        if ran and name in self._began:
            self._took[name] = round(time.monotonic() - self._began[name], 1)
            self._ran += 1
        if name in self._tasks:
            self._running.remove_task(self._tasks.pop(name))
        self._left.discard(name)
        if self._all is not None:
            self._running.update(self._all, advance=1, said=self._remaining())


def on_terminal() -> Display:
    """The live display if a terminal shows what this process says, else none."""
    console = Console(stderr=True)
    return Terminal(console) if console.is_terminal else Display()

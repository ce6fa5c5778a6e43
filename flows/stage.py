"""A DVC stage as a Prefect task, and the executor that runs it on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.futures import wait
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed

from flows import artifacts
from flows.busy import when_free
from flows.commands import NETWORK, OFFLINE, Commands, KilledError
from flows.display import Display
from flows.graph import Graph
from flows.journal import Journal
from flows.resources import Resources
from multiresunet.errors import UserError

KILLED_AGAIN = 2  # further tries of a stage of which a process was killed
RETRIES = {"fetch": 3}  # the one stage that depends on somebody else's server


UNCHANGED = "Stage '{}' didn't change, skipping"  # what DVC says of a stage that needn't run


class Outcome(Enum):
    """What has become of a stage."""

    RAN = auto()
    UP_TO_DATE = auto()
    NOT_BEGUN = auto()  # since another one had failed


class Executor(Protocol):
    """Where stages run."""

    def prepare(self, due: Mapping[str, Collection[str]]) -> None:
        """Take note of the stages that may have to run, with those that each waits for."""

    def run(self, name: str, run: Run) -> Outcome:
        """Run one stage if it is stale, given that all that it needs is up to date.

        Raises:
            UserError: the stage failed
        """


class Run:
    """What the stages of one run share."""

    def __init__(self, graph: Graph, executor: Executor, display: Display) -> None:
        self.graph, self.executor, self.display = graph, executor, display
        self.failure: Exception | None = None  # the first; nothing begins after it


class LocalExecutor:
    """Runs stages on this machine, or restores what others have made."""

    def __init__(self, commands: Commands, resources: Resources, hours: float, pull: bool = False) -> None:
        """`pull`: restore from the remote what it has."""
        self._commands, self._resources, self._hours = commands, resources, hours
        self._pull = ("--pull",) if pull else ()

    def prepare(self, due: Mapping[str, Collection[str]], first: int | None = None) -> None:
        """See Executor.

        Args:
            due: see there
            first: how many run here side by side at first; None for as many as there is room for
        """
        self._commands.prepare(len(due), self._resources.side_by_side(due) if first is None else first)

    def run(self, name: str, run: Run) -> Outcome:
        """See Executor."""
        log, progress, outcome = get_run_logger(), artifacts.Progress(name), Outcome.RAN
        # DVC's worker sees that, too, but may have to wait long for a GPU, or ask the remote first.
        if (self._pull or self._resources.needs_gpu(name)) and not run.graph.stale([name]):
            return Outcome.UP_TO_DATE
        with self._resources.take(name, run.graph.behind[name]) as device:
            if run.failure:
                return Outcome.NOT_BEGUN
            extra = {"CUDA_VISIBLE_DEVICES": device} if device else None
            run.display.begin(name)

            def begin() -> None:
                words = ("--wait-for-lock", "repro", "--single-item", name, *self._pull)
                with Journal(name) as journal:

                    def show(line: str) -> None:
                        nonlocal outcome
                        if line == UNCHANGED.format(name):
                            outcome = Outcome.UP_TO_DATE
                            return
                        log.info("%s", line)
                        journal.add(line)
                        progress(line)
                        run.display.line(name, line)

                    self._commands.run_stage(name, *words, on_line=show, extra=extra, hours=self._hours)

            try:
                again_if_killed(lambda: when_free(begin, log), log)
            except Exception as error:  # noted before another stage gets the place
                if not (is_worth_retrying(error) and task_run.run_count <= retries(name)):
                    run.failure = run.failure or error
                raise
        progress.end()
        return outcome


def again_if_killed(begin: Callable[[], None], log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    """Begin a stage, or a command, again if one of its processes was killed, in which nothing is wrong.

    Raises:
        KilledError: it was killed each time
    """
    for left in range(KILLED_AGAIN, -1, -1):
        try:
            return begin()
        except KilledError as error:
            if not left:
                raise
            log.warning("%s; it begins again", error)
    return None


def retries(name: str) -> int:
    """How often a stage is tried again."""
    return RETRIES.get(name.partition("@")[0], 0)


def is_worth_retrying(error: Exception) -> bool:
    """Whether a stage failed for want of a server's answer; changed files, or no network, fail again."""
    return isinstance(error, UserError) and NETWORK in str(error) and OFFLINE not in str(error)


def retry_condition(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Prefect's form of `is_worth_retrying`."""
    try:
        state.result()
    except Exception as error:
        return is_worth_retrying(error)
    return False


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=retry_condition)
def run_stage(run: Run, name: str, stale: bool, upstream: list[bool]) -> bool | State[bool]:
    """Run one DVC stage if it is stale when its turn comes.

    Args:
        run: what stages share
        name: the stage
        stale: whether it was stale when the run began
        upstream: for each affected stage that it needs, whether it may have changed; Prefect waits for their futures

    Returns:
        Whether it may have changed since the run began.
    """
    if not run.failure:
        # What ran may have written what was there before, as DVC sees; if nothing did, the answer is still the same.
        outcome = run.executor.run(name, run) if stale or any(upstream) else Outcome.UP_TO_DATE
        if outcome is not Outcome.NOT_BEGUN:
            run.display.end(name, ran=outcome is Outcome.RAN)
        if outcome is Outcome.UP_TO_DATE:
            # One that was stale may have been made meanwhile, by hand say; then what needs it is to be looked at, too.
            return Completed(name="Skipped", message="up to date", data=stale)
        if outcome is Outcome.RAN:
            return True
    return Cancelled(message="not begun, since another stage has failed")


def run_stale(run: Run, names: Collection[str], at_once: int) -> None:
    """Run what is stale of some stages, side by side where there are resources, `at_once` for all that is shown.

    A stage is a task from the start if it is stale or needs one that is; DVC is asked again when its turn comes.

    Raises:
        UserError: the first stage that failed; what ran beside it has ended, so its work isn't lost
    """
    futures: dict[str, Any] = {}
    due = run.graph.due(names)
    run.executor.prepare(due)
    run.display.plan(due, at_once)
    for name, upstream in due.items():
        named = run_stage.with_options(name=name, task_run_name=name, retries=retries(name))
        futures[name] = named.submit(run, name, name in run.graph.stale_at_first, [futures[each] for each in upstream])
    wait(list(futures.values()))
    if run.failure:
        raise run.failure
    for future in futures.values():
        future.result()

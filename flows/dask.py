"""Stages on other machines. A Dask worker works in a clone of its own and shares nothing but git and DVC's remote.

A worker runs a stage at the run's commit and publishes the result through DVC's run cache; the machine that began the
run restores it from there, and writes dvc.lock alone. `python -m flows.worker tcp://…`, in a clone, starts a worker.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any

from distributed import get_worker
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect_dask.task_runners import DaskTaskRunner

from flows import artifacts
from flows.commands import NETWORK, Commands
from flows.stage import LocalExecutor, Outcome, Run, again_if_killed
from flows.worktree import alone
from multiresunet.errors import UserError
from multiresunet.review.git import changed, git

LOST = 3  # further tries of a stage whose worker has lost its network; one that dies is replaced by Dask itself
PUSH = "push of"
WATCH = 1.0  # seconds between two looks whether the run that asked for a stage is still there


@task(cache_policy=NO_CACHE, persist_result=False)
def compute(name: str, commit: str, hours: float) -> None:
    """Run a stage in the current folder, the worker's clone, and publish its result.

    What the stage needs is restored from the remote; nothing else is taken from where the run began.
    """
    log, progress = get_run_logger(), artifacts.Progress(name)

    def show(line: str) -> None:
        log.info("%s", line)
        progress(line)

    with alone(log) as lock:
        if git("rev-parse", "HEAD").strip() != commit:
            git("fetch", "--quiet", "origin")
            git("checkout", "--quiet", "--force", "--detach", commit)
        commands = Commands(lock)
        with ends_with_the_run(commands):
            words = ("dvc", "repro", "--pull", name)
            again_if_killed(lambda: commands.follow(name, *words, on_line=show, hours=hours), log)
            commands.follow(f"{PUSH} {name}", "dvc", "push", "--run-cache", name, on_line=show)
        progress.end()


@contextmanager
def ends_with_the_run(commands: Commands) -> Iterator[None]:
    """Stop the commands of this Dask task when nobody waits for it any more: the run was cancelled, or killed.

    Dask forgets the tasks of a client that has gone, but can't end a thread.
    """
    worker, over = get_worker(), threading.Event()
    key = worker.get_current_task()

    def watch() -> None:
        while not over.wait(WATCH):
            found = worker.state.tasks.get(key)
            if found is None or found.state == "cancelled":
                commands.stop()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except BaseException:
        commands.stop()
        raise
    finally:
        over.set()


def retry_condition(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a stage failed for want of an answer from the network, its own or the remote's."""
    try:
        state.result()
    except UserError as error:
        return NETWORK in str(error) or str(error).startswith(PUSH)
    return False


class DaskExecutor:
    """Runs stages on a Dask cluster and restores their results here; those whose outputs git keeps run here."""

    def __init__(self, stack: ExitStack, scheduler: str, hours: float, local: LocalExecutor) -> None:
        """Connect to a cluster, for as long as the stack lives, and take note of the commit that workers check out.

        Raises:
            UserError: nobody answers, or there is something here that workers couldn't have
        """
        # Tables and dvc.lock are what a run writes; workers make their own.
        own = [path for path in changed() if path != "dvc.lock" and not path.startswith(("metrics/", "reports/"))]
        if own:
            raise UserError(f"{', '.join(own)}: workers have what is committed and pushed; commit and push this")
        self._commit = git("rev-parse", "HEAD").strip()
        self._hours, self._local = hours, local
        self._context = copy_context()  # the flow's; that of a stage's task can't be sent to a worker
        self._runner = DaskTaskRunner(address=scheduler, client_kwargs={"timeout": 20})
        try:
            stack.enter_context(self._runner)
            self._runner.client  # noqa: B018 - connects
        except OSError:
            raise UserError(f"no Dask scheduler answers at {scheduler}; start it with `dask scheduler`") from None

    def prepare(self, due: Mapping[str, Collection[str]]) -> None:
        """See Executor."""
        self._local.prepare(due, first=min(1, len(due)))

    def run(self, name: str, run: Run) -> Outcome:
        """See Executor. The stage runs on whichever worker is free next."""
        if not run.graph.stale([name]):
            return Outcome.UP_TO_DATE
        if name not in run.graph.in_git:
            named: Any = compute.with_options(
                name=name, task_run_name=f"{name} on a worker", retries=LOST, retry_condition_fn=retry_condition
            )
            parameters = {"name": name, "commit": self._commit, "hours": self._hours}
            try:
                self._context.copy().run(self._runner.submit, named, parameters).result()
            except Exception as error:
                run.failure = run.failure or error
                raise
        return self._local.run(name, run)

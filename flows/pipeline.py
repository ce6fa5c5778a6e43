"""The pipeline as a Prefect flow, which does what `dvc repro` does: DVC says which stages must run.

Prefect gives the stages their order, their log, their retries and their place in its UI.
`python -m flows.pipeline --help` says how to run it; the command itself is flows/cli.py.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before Prefect is imported: that takes seconds, and often there is nothing to do
    gc.disable()  # what is loaded is no garbage

    from flows.cli import main

    main()
    sys.exit()

from flows.ephemeral import settings

os.environ.update(settings() | os.environ)  # the user's own come last and win

import httpx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows import artifacts, begun
from flows.checkout import working_in
from flows.cli import whole
from flows.commands import CHECK, HOURS, Commands
from flows.display import on_terminal
from flows.graph import FIXABLE
from flows.resources import Resources
from flows.stage import Executor, LocalExecutor, Run, again_if_killed, run_stale
from flows.worktree import configure
from multiresunet.errors import UserError, of_the_system
from multiresunet.paths import PAGE, STATE
from multiresunet.review.outcome import outcome

PULL = ("pull", "--run-cache", "--allow-missing")
PUSH = ("push", "--run-cache")
# Tasks wait for others in their threads, so each has one; Resources bound what runs.
THREADS: Any = ThreadPoolTaskRunner(max_workers=sys.maxsize)


def without_traceback(record: logging.LogRecord) -> bool:
    """Log filter: take Prefect's traceback from what is said in one line at the end; every record passes."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (*FIXABLE, httpx.TransportError)) or (isinstance(error, Exception) and of_the_system(error)):
        record.exc_info = None
    return True


@task(name="command", cache_policy=NO_CACHE, persist_result=False)
def run_command(commands: Commands, name: str, *words: str) -> None:
    """Run a command that belongs to no stage."""
    log = get_run_logger()
    again_if_killed(lambda: commands.follow(name, *words, on_line=log.info), log)


def on_cluster(stack: ExitStack, scheduler: str, hours: float, local: LocalExecutor) -> Executor:
    """Workers of a Dask cluster, for as long as the stack lives.

    Raises:
        UserError: what is needed isn't installed, or as `DaskExecutor`
    """
    try:
        from flows.dask import DaskExecutor  # its packages are an extra
    except ImportError:
        raise UserError("a cluster needs more packages; install with `pip install -e '.[cluster]'`") from None
    return DaskExecutor(stack, scheduler, hours, local)


def bring_up_to_date(run: Run, targets: Sequence[str], at_once: int) -> None:
    """Run what is stale of `targets` and what they need.

    Raises:
        UserError: a stage failed, or DVC still calls something stale after all have run
    """
    names = run.graph.select(targets)
    run_stale(run, names, at_once)
    run.graph.sort_lock()
    if stale := run.graph.stale(names):
        raise UserError(
            f"DVC calls {', '.join(sorted(stale))} stale after the run: a file changed meanwhile; run again"
        )


def judge_tables(commit: str, findings: Sequence[str], notes: Sequence[str]) -> None:
    """Compare what has been made in the current folder, a checkout of a commit, as `multiresunet verify` does.

    Args:
        commit: for messages
        findings, notes: as `verify.recorded_otherwise` has found them before anything ran

    Raises:
        UserError: the tables aren't the commit's, or there are findings
    """
    from multiresunet.review.verify import judged

    log, found = get_run_logger(), judged(Path(), findings, notes)
    for part in found.details():
        log.info("%s", part)
    if not found.passes():
        raise UserError(f"{commit} makes other tables than git has: {found.line()}; somebody has to look")
    log.info("%s: %s", commit, found.line())


@flow(name="pipeline", persist_result=False, task_runner=THREADS)
def pipeline(
    targets: Sequence[str] = (),
    datasets: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    recipe: str | None = None,
    cores: int | None = None,
    gpus: Sequence[str] | None = None,
    hours: float = HOURS,
    pull: bool = False,
    push: bool = False,
    base: str = "HEAD",
    commit: str | None = None,
    scheduler: str | None = None,
    check: bool = True,
) -> None:
    """Run every stale stage, upstream first, and show what came out.

    Args:
        targets: stages, or kinds of stages, to stop at; none for all
        datasets: to be written to params.yaml as `run.datasets`; None leaves it
        models: likewise `run.models`
        recipe: likewise `run.recipe`
        cores: how many stages that don't need each other run side by side on the CPU; None for one per core
        gpus: devices, one stage on each at a time (twice in the list: two); None for all that there are
        hours: how long one stage may take
        pull: fetch DVC's cache from the remote first
        push: send it to the remote at the end
        base: the commit that the tables are compared with
        commit: work in a clean checkout of this commit, and fail if git's tables aren't those that it makes, by
            the rules of `multiresunet verify`
        scheduler: address of a Dask cluster whose workers run the stages (see flows/dask.py)
        check: compare users' folders with their digests in params.yaml first

    Raises:
        UserError: a stage failed; or DVC still calls something stale after all have run; or, with `commit`,
            a table isn't the commit's, or something else is asked for as well
    """
    whole(commit, targets, datasets, models, recipe)
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(without_traceback)
    log = get_run_logger()
    changes = {"run.datasets": datasets, "run.models": models, "run.recipe": recipe}
    folder = Path.cwd()
    with ExitStack() as stack:
        if commit is not None:
            stack.enter_context(working_in(commit, log))
        here = begun.taken() or stack.enter_context(begun.begin(log))
        commands = here.commands
        try:
            configure({key: value for key, value in changes.items() if value is not None})
            if pull:
                run_command.with_options(task_run_name="pull")(commands, "pull", "dvc", *PULL)
            if commit is not None:
                from multiresunet.review.verify import recorded_otherwise  # a second

                findings, notes = recorded_otherwise(Path())
                notes += [] if scheduler is None else ["made by a cluster, whose arithmetic isn't known here"]
            if check:
                run_command.with_options(task_run_name="fetch --check")(commands, "fetch --check", *CHECK)
            resources = Resources(cores, gpus)
            local = LocalExecutor(commands, resources, hours, pull=pull or scheduler is not None)
            executor = local if scheduler is None else on_cluster(stack, scheduler, hours, local)
            graph = here.graph()
            artifacts.prepare()
            with on_terminal() as display:
                bring_up_to_date(Run(graph, executor, display), targets, resources.cores)
            commands.release()
            # Once more, since nothing but git vouches for what these have written.
            for name in sorted(graph.in_git) if commit is not None else []:
                words = ("dvc", "repro", "--force", "--single-item", name)
                run_command.with_options(task_run_name=f"{name} once more")(commands, name, *words)
            try:
                artifacts.publish(base, keep=folder / STATE / PAGE if commit else None)
            except httpx.TransportError:  # all is made, and a server that is away can't say otherwise
                log.warning("Prefect's server doesn't answer, so its UI doesn't show the tables of this run")
            if commit is not None:
                judge_tables(commit, findings, notes)
            elif not targets:
                log.info(outcome())
            if push and graph.has_remote:
                run_command.with_options(task_run_name="push")(commands, "push", "dvc", *PUSH)
            elif push:
                log.info("No remote is configured; nothing is pushed")
        except BaseException:  # Ctrl-C, or cancelled in the UI; a failed stage leaves nothing to stop
            commands.stop()
            raise

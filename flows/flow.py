"""The pipeline as a Prefect flow, which brings up to date what `dvc repro` would.

Prefect gives the stages their log, their retries and their place in its UI; DVC says which must run.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

# Prefect reads its settings while it's imported. The user's own come last and win.
os.environ.update(
    {
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS": "10,60,300",
    }
    | os.environ
)

import httpx
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.context import refresh_global_settings_context
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectConcurrentFuture
from prefect.settings import PREFECT_API_URL

from flows import artifacts
from flows.commands import CHECK, HOURS, NETWORK, Commands, leashed
from flows.graph import MENDABLE, Graph, Walk
from flows.slots import Slots, devices
from flows.workspace import alone, configure
from multiresunet.errors import UserError
from multiresunet.review.git import git
from multiresunet.review.verify import changed
from multiresunet.review.worktree import environment, worktree

if TYPE_CHECKING:
    from flows.cluster import Cluster  # its packages are an extra

RETRIES = {"fetch": 3}  # the one stage that depends on somebody else's server
PULL = ("pull", "--run-cache", "--allow-missing")
PUSH = ("push", "--run-cache")
POLL = 0.1  # seconds between two looks at a cluster
REPORT = ".state/reports/index.html"  # of a clean checkout's last run
START = 120.0  # seconds for a server to start in, on a busy machine
SERVERS: list[subprocess.Popen[bytes]] = []  # kept until this process ends, since their leash is this end of a pipe


def without_traceback(record: logging.LogRecord) -> bool:
    """Log filter: take Prefect's traceback from an error that a user can mend; every record passes."""
    if record.exc_info and isinstance(record.exc_info[1], MENDABLE):
        record.exc_info = None
    return True


@task(name="command", cache_policy=NO_CACHE, persist_result=False)
def run_command(commands: Commands, name: str, *words: str) -> None:
    """Run a command that belongs to no stage."""
    commands.follow(name, *words, on_line=get_run_logger().info)


@task(cache_policy=NO_CACHE, persist_result=False)
def run_stage(commands: Commands, name: str, hours: float, device: str, pull: bool) -> None:
    """Bring one DVC stage up to date, given that all that it needs is; with `pull`, from the remote if it's there."""
    log, progress = get_run_logger(), artifacts.Progress(name)

    def show(line: str) -> None:
        log.info("%s", line)
        progress(line)

    extra = {"CUDA_VISIBLE_DEVICES": device} if device else None
    words = ("dvc", "--wait-for-lock", "repro", "--single-item", name)
    commands.follow(name, *words, *(["--pull"] if pull else []), on_line=show, extra=extra, hours=hours)
    progress.end()


def is_worth_retrying(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a stage failed for want of an answer from the network; a changed file fails again."""
    try:
        state.result()
    except UserError as error:
        return NETWORK in str(error)
    return False


class Here:
    """Runs stages on this machine, or restores what others have made."""

    def __init__(self, commands: Commands, slots: Slots, hours: float, pull: bool = False) -> None:
        self._commands, self._slots, self._hours, self._pull = commands, slots, hours, pull
        self._running: dict[Future[Any], tuple[str, str, PrefectConcurrentFuture[None]]] = {}

    def begin(self, name: str) -> bool:
        """Run a stage as a task of its own name, with the retries of its kind; False if there is no free slot."""
        device = self._slots.take(name)
        if device is None:
            return False
        named = run_stage.with_options(
            name=name,
            task_run_name=name,
            retries=RETRIES.get(name.partition("@")[0], 0),
            retry_condition_fn=is_worth_retrying,
        )
        future = cast(
            PrefectConcurrentFuture[None], named.submit(self._commands, name, self._hours, device, self._pull)
        )
        self._running[future.wrapped_future] = name, device, future
        return True

    def ended(self, timeout: float | None = None) -> list[tuple[str, Exception | None]]:
        """Wait until a stage has ended, or for `timeout` seconds; those that have ended, with what went wrong."""
        found: list[tuple[str, Exception | None]] = []
        for done in wait(self._running, timeout, FIRST_COMPLETED).done:
            name, device, future = self._running.pop(done)
            self._slots.give_back(device)
            try:
                future.result()
                found.append((name, None))
            except MENDABLE as error:
                found.append((name, error))
        return found

    def __len__(self) -> int:
        """How many stages run."""
        return len(self._running)


class There:
    """Runs stages on a cluster and restores their results here; those whose outputs git keeps run here."""

    def __init__(self, cluster: Cluster, here: Here, in_git: set[str]) -> None:
        self._cluster, self._here, self._in_git = cluster, here, in_git
        self._made: list[str] = []

    def begin(self, name: str) -> bool:
        """Run a stage; False if it's to be run here and there is no free slot."""
        if name in self._in_git:
            return self._here.begin(name)
        self._cluster.begin(name)
        return True

    def ended(self) -> list[tuple[str, Exception | None]]:
        """Wait until a stage's result is here, or it failed; those that have ended, with what went wrong."""
        while True:
            found = self._cluster.ended()
            self._made += [name for name, error in found if error is None]
            self._made = [name for name in self._made if not self._here.begin(name)]
            failed = [(name, error) for name, error in found if error is not None]
            if ended := [*failed, *self._here.ended(POLL)]:
                return ended
            if not len(self._cluster) and not len(self._here) and not self._made:
                return []
            time.sleep(POLL)


def cluster(stack: ExitStack, scheduler: str, hours: float) -> Cluster:
    """Workers of a Dask cluster, for as long as the stack lives.

    Raises:
        UserError: what is needed isn't installed, or nobody answers
    """
    try:
        from prefect_dask.task_runners import DaskTaskRunner

        from flows.cluster import Cluster
    except ImportError:
        raise UserError("a cluster needs more packages; install with `pip install -e '.[cluster]'`") from None
    runner = DaskTaskRunner(address=scheduler, client_kwargs={"timeout": 20})
    try:
        stack.enter_context(runner)
        runner.client  # noqa: B018 - connects
    except OSError:
        raise UserError(f"no Dask scheduler answers at {scheduler}; start it with `dask scheduler`") from None
    return Cluster(runner, hours)


def bring_up_to_date(graph: Graph, targets: Sequence[str], place: Here | There) -> None:
    """Run what is stale of `targets` and what they need.

    Raises:
        UserError: a stage failed, or DVC still calls something stale after all have run
    """
    names = graph.select(targets) if targets else None
    run_stale(Walk(graph, names), place)
    graph.sort_lock()
    if stale := graph.stale(names):
        raise UserError(
            f"DVC calls {', '.join(sorted(stale))} stale after the run: a file changed meanwhile; run again"
        )


@contextmanager
def working_in(commit: str) -> Iterator[None]:
    """Go to a clean checkout of a commit; of a remote's branch, its newest."""
    if commit.startswith("origin/"):
        git("fetch", "--quiet", "origin")
    here, before = Path.cwd(), dict(os.environ)
    with worktree(commit) as folder:
        os.environ.update(environment())
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)


def run_stale(walk: Walk, place: Here | There) -> None:
    """Run what the walk names, side by side as far as there is room.

    Raises:
        UserError: the first stage that failed; what ran beside it has ended, so that its work isn't lost
    """
    waiting: list[str] = []
    failure: Exception | None = None
    while True:
        waiting += walk.ready()
        if not failure:
            waiting = [name for name in waiting if not place.begin(name)]
        ended = place.ended()
        if not ended:
            break
        for name, error in ended:
            if error is None:
                walk.done(name)
            failure = failure or error
    if failure:
        raise failure


@flow(name="pipeline", persist_result=False)
def pipeline(
    targets: Sequence[str] = (),
    datasets: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    recipe: str | None = None,
    slots: int | None = None,
    gpus: Sequence[str] | None = None,
    hours: float = HOURS,
    pull: bool = False,
    push: bool = False,
    base: str = "HEAD",
    commit: str | None = None,
    scheduler: str | None = None,
) -> None:
    """Run every stale stage, upstream first, and show what came out.

    Args:
        targets: stages, or kinds of stages, to stop at; none for all
        datasets: to be written to params.yaml as `run.datasets`; None leaves it
        models: likewise `run.models`
        recipe: likewise `run.recipe`
        slots: how many stages that don't need each other run side by side on the CPU; None for one a core
        gpus: devices, one stage on each at a time (twice in the list: two); None for all that there are
        hours: how long one stage may take
        pull: bring DVC's cache from the remote first
        push: send it to the remote at the end
        base: the commit that the tables are compared with
        commit: work in a clean checkout of this commit, and fail if what git has of it isn't what it makes
        scheduler: address of a Dask cluster whose workers run the stages (see flows/cluster.py)

    Raises:
        UserError: a stage failed; or DVC still calls something stale after all have run; or, with `commit`,
            a table isn't the commit's
    """
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(without_traceback)
    log = get_run_logger()
    settings = {"run.datasets": datasets, "run.models": models, "run.recipe": recipe}
    folder = Path.cwd()
    with ExitStack() as stack:
        if commit is not None:
            stack.enter_context(working_in(commit))
        commands = Commands(stack.enter_context(alone(log)))
        try:
            configure({key: value for key, value in settings.items() if value is not None})
            if pull:
                run_command.with_options(task_run_name="pull")(commands, "pull", "dvc", *PULL)
            run_command.with_options(task_run_name="fetch --check")(commands, "fetch --check", *CHECK)
            places = Slots(slots or os.cpu_count() or 1, devices() if gpus is None else gpus)
            graph = Graph()
            here = Here(commands, places, hours, pull=pull or scheduler is not None)
            there = There(cluster(stack, scheduler, hours), here, graph.in_git) if scheduler is not None else None
            bring_up_to_date(graph, targets, there or here)
            if push:
                run_command.with_options(task_run_name="push")(commands, "push", "dvc", *PUSH)
        except BaseException:  # Ctrl-C, or cancelled in the UI; a failed stage leaves nothing to stop
            commands.stop()
            raise
        try:
            artifacts.publish(base, keep=folder / REPORT if commit else None)
        except httpx.TransportError:  # all is made, and a server that is away can't say otherwise
            log.warning("Prefect's server doesn't answer, so its UI doesn't show the tables of this run")
        if commit is not None and (differing := changed()):
            raise UserError(f"{commit} makes another {', '.join(differing)} than git has; somebody has to look")


def reach_server() -> None:
    """Start a server for this run, unless PREFECT_API_URL names one.

    Prefect would do so itself, but in three seconds more, and leave it behind when this process is killed.

    Raises:
        UserError: the server named doesn't answer, or a new one doesn't start
    """
    if PREFECT_API_URL.value():
        if get_client(sync_client=True).api_healthcheck():
            raise UserError(
                f"no Prefect server answers at {PREFECT_API_URL.value()}; start it or unset PREFECT_API_URL"
            )
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    port = str(address[1])
    server = ("uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", port, "--log-level", "error")
    # On a leash, it ends after this process has handed over its last lines, or when it's killed.
    SERVERS.append(leashed(*server, extra={"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}))
    deadline = time.monotonic() + START
    while not answers(address):
        if SERVERS[-1].poll() is not None or time.monotonic() > deadline:
            raise UserError("Prefect's server doesn't start; `prefect server start` says why")
        time.sleep(POLL)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ.setdefault("PREFECT_UI_URL", "")  # it has none to point to
    refresh_global_settings_context()


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def run(**words: Any) -> None:
    """Run the flow as a command does, which ends when the server does.

    Raises:
        KeyboardInterrupt: by Ctrl-C or SIGTERM
        UserError: as `pipeline`; or the server named doesn't answer
    """
    try:
        reach_server()
        pipeline(**words)
    except TerminationSignal:
        raise KeyboardInterrupt from None
    except httpx.TransportError:
        print("error: Prefect's server has gone; run again to go on from here", file=sys.stderr, flush=True)
        os._exit(1)  # Prefect would go on for minutes to hand over its log
    finally:
        logging.getLogger("prefect").setLevel(logging.ERROR)  # the server's farewell isn't the last word

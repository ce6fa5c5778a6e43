"""The pipeline as a Prefect flow: `python -m flows.pipeline` brings up to date what `dvc repro` would.

Prefect gives the stages their log, their retries and their place in its UI; DVC says which must run.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

# Prefect reads its settings while it's imported. The user's own come last and win.
os.environ.update(
    {
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # 20 aren't enough on a busy machine
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",  # else its end looks like an accident
        "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS": "10,60,300",
    }
    | os.environ
)

from dvc.exceptions import DvcException
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectConcurrentFuture

from flows.graph import Graph, Walk
from multiresunet.errors import UserError

MENDABLE = (UserError, DvcException)
CHECK = ("stages.fetch", "--check")
NETWORK = "can't be downloaded"
RETRIES = {"fetch": 3}  # the one stage that depends on somebody else's server
GRACE = 10.0  # seconds for a stage to end by itself
SUMMARY = Path("metrics/summary.csv")
# One stage at a time on a GPU, which they would share, else one for each core.
SLOTS = 1 if shutil.which("nvidia-smi") else os.cpu_count() or 1
RUNNING: set[subprocess.Popen[str]] = set()  # what to stop when the flow is
STOPPED = threading.Event()


def without_traceback(record: logging.LogRecord) -> bool:
    """Log filter: take Prefect's traceback from an error that a user can mend; every record passes."""
    if record.exc_info and isinstance(record.exc_info[1], MENDABLE):
        record.exc_info = None
    return True


def follow(name: str, *words: str) -> None:
    """Run `python -m WORDS` with its lines live in the log; however this call ends, no process of it is left.

    Raises:
        UserError: it failed; the message has its own `error: …` line, or else its last line
    """
    logger = get_run_logger()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    error = last = ""
    if STOPPED.is_set():
        raise UserError(f"{name} doesn't begin, since the run was stopped")
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout
        RUNNING.add(process)
        try:
            for line in filter(None, map(str.rstrip, process.stdout)):
                logger.info("%s", line)
                error, last = line if line.startswith("error: ") else error, line
        except BaseException:
            stop(process)
            raise
        finally:
            RUNNING.discard(process)
    if process.returncode:
        raise UserError(f"{name} failed with {error or last or f'exit status {process.returncode}'}")


def stop(process: subprocess.Popen[str]) -> None:
    """End a process and its group as Ctrl-C would, so that DVC and the stage tidy up; then by force."""
    with suppress(ProcessLookupError, PermissionError):  # macOS calls it permission when all are dead
        try:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@task(name="fetch --check", task_run_name="fetch --check", cache_policy=NO_CACHE, persist_result=False)
def check_folders() -> None:
    """See whether any folder in use has changed, which DVC itself can't."""
    follow("fetch --check", *CHECK)


@task(cache_policy=NO_CACHE, persist_result=False)
def run_stage(name: str) -> None:
    """Bring one DVC stage up to date, given that all that it needs is."""
    follow(name, "dvc", "--wait-for-lock", "repro", "--single-item", name)


def submitted(name: str) -> PrefectConcurrentFuture[None]:
    """Run a stage as a task of its own name, with the retries of its kind."""
    retries = RETRIES.get(name.partition("@")[0], 0)
    named = run_stage.with_options(name=name, task_run_name=name, retries=retries, retry_condition_fn=is_worth_retrying)
    return cast(PrefectConcurrentFuture[None], named.submit(name))


def is_worth_retrying(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a stage failed for want of an answer from the network; a changed file fails again."""
    try:
        state.result()
    except UserError as error:
        return NETWORK in str(error)
    return False


def run_stale(walk: Walk, slots: int) -> None:
    """Run what the walk names, at most `slots` at a time.

    Raises:
        UserError: the first stage that failed; what ran beside it has ended, so that its work isn't lost
    """
    waiting: list[str] = []
    running: dict[Future[Any], tuple[str, PrefectConcurrentFuture[None]]] = {}
    failure: Exception | None = None
    while True:
        waiting += walk.ready()
        while waiting and len(running) < slots and not failure:
            future = submitted(waiting[0])
            running[future.wrapped_future] = waiting.pop(0), future
        if not running:
            break
        for ended in wait(running, return_when=FIRST_COMPLETED).done:
            name, future = running.pop(ended)
            try:
                future.result()
                walk.done(name)
            except MENDABLE as error:
                failure = failure or error
    if failure:
        raise failure


@flow(name="pipeline", persist_result=False)
def pipeline(slots: int = SLOTS) -> None:
    """Run every stale stage, upstream first, and show the summary.

    Args:
        slots: how many stages that don't need each other run side by side

    Raises:
        UserError: a stage failed, or DVC still calls something stale after all have run
    """
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(without_traceback)
    check_folders()
    graph = Graph()
    try:
        run_stale(Walk(graph), max(1, slots))
    except BaseException:  # Ctrl-C, or cancelled in the UI; a failed stage leaves nothing to stop
        STOPPED.set()
        for process in list(RUNNING):
            stop(process)
        raise
    graph.sort_lock()
    if stale := graph.stale():
        raise UserError(
            f"DVC calls {', '.join(sorted(stale))} stale after the run: a file changed meanwhile; run again"
        )
    with SUMMARY.open(newline="") as file:
        create_table_artifact(key="summary", table=list(csv.DictReader(file)))


def reach_server() -> None:
    """Start a server for this run, unless PREFECT_API_URL names one.

    Raises:
        UserError: the server named doesn't answer
    """
    # Signal masks are inherited: Ctrl-C shall end the flow, which then tells the server how it ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        client = get_client(sync_client=True)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if client.api_healthcheck():
        raise UserError(f"no Prefect server answers at {client.api_url}; start it or unset PREFECT_API_URL")


def main() -> None:
    """Run the flow as a command: one line for an error, and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description=__doc__)
    parser.add_argument("--slots", type=int, default=SLOTS, help="stages side by side (default: %(default)s)")
    words = parser.parse_args()
    # Prefect hands SIGTERM on to whoever had it before; Python's default would leave Prefect's server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if Graph().stale():
            reach_server()
            pipeline(words.slots)
        else:  # without Prefect's server, which takes seconds to start
            subprocess.run([sys.executable, "-m", *CHECK], check=True)
    except MENDABLE as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why
    except (KeyboardInterrupt, TerminationSignal):
        sys.exit("error: interrupted; run again to go on from here")
    finally:
        logging.getLogger("prefect").setLevel(logging.ERROR)  # the server's farewell isn't the last word


if __name__ == "__main__":
    main()

"""Runs stages by DVC, which stays loaded, one after the other: the work of flows/dvc_worker.py."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import queue
import re
import shlex
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

# The first lines are what DVC imports when it first runs a stage, while it holds a lock that others wait for.
import dvc.cachemgr
import dvc.cli.parser
import dvc.repo.reproduce
import dvc.scm
import dvc.stage.cache
import dvc.stage.run
from dvc.cli import main as dvc_main
from dvc.stage.exceptions import StageCmdFailedError

from flows import busy, lockfile, parameters, unchanged
from flows.forked import LOST, run_module
from multiresunet.watchdog import GRACE

STAGE = re.compile(r"python -m (stages\.\w+)((?: [\w@%+=:,./-]+)*)")  # nothing that a shell would have to read


class Stages:
    """Runs the commands of stages in DVC's place, and keeps the exit status of the last one."""

    def __init__(self, forks: bool) -> None:
        self.status = 0
        self._plain = dvc.stage.run._run
        self._forks, self._env = forks, dict(os.environ)
        self._context = multiprocessing.get_context("forkserver")
        dvc.stage.run._run = self

    def __call__(self, executable: str | None, cmd: str, **settings: Any) -> None:
        """Run a stage's command.

        Raises:
            StageCmdFailedError: its exit status isn't 0
        """
        found = STAGE.fullmatch(cmd) if self._forks else None
        try:
            if not found:
                self._plain(executable, cmd, **settings)
            elif status := self._fork(found[1], shlex.split(found[2]), settings["env"], settings["cwd"]):
                raise StageCmdFailedError(cmd, status)
        except StageCmdFailedError as error:
            said = re.search(r"exited with (-?\d+)", str(error))
            self.status = int(said[1]) if said else 1
            raise

    def _fork(self, module: str, words: list[str], env: dict[str, str], folder: str) -> int:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the stage's; DVC tidies up after it
        try:
            process = self._context.Process(target=run_module, args=(module, words, env, folder, self._env))
            process.start()
            process.join()
            status = process.exitcode or 0
        except (EOFError, ConnectionError):  # the fork server was killed before it told whether it has begun
            status = LOST
        finally:
            signal.signal(signal.SIGINT, before)
        if status == LOST:
            end_forks()
            return -signal.SIGKILL
        return status


def end_forks() -> None:
    """Kill the fork server and all that it has made, of this process' group."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == os.getpgid(0) and "multiprocessing.forkserver" in " ".join(process.cmdline()):
                process.kill()


def listen(descriptor: int, requests: queue.SimpleQueue[dict[str, Any] | None], at_work: threading.Event) -> None:
    """Take requests. When there can be no more, the owner is done, or dead; then nothing here may go on.

    The watchdog sees this too, and stops the stage as Ctrl-C does; this is for when the watchdog is dead as well.
    """
    watchdog = os.getppid()
    with os.fdopen(descriptor, encoding="utf-8") as file, suppress(ValueError):
        for line in file:
            at_work.set()
            requests.put(json.loads(line))
    requests.put(None)
    if at_work.is_set():
        if os.getppid() != watchdog:
            os.killpg(0, signal.SIGINT)
        time.sleep(GRACE + 1)
        os.killpg(0, signal.SIGKILL)


def main(descriptor: int, end: str, forks: bool) -> None:
    """Run stages until there are no more requests."""
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    at_work = threading.Event()
    threading.Thread(target=listen, args=(descriptor, requests, at_work), daemon=True).start()
    gc.freeze()
    gc.enable()
    busy.quicken()
    lockfile.quicken()
    parameters.quicken()
    unchanged.watch()
    stages, own = Stages(forks), dict(os.environ)
    while request := requests.get():
        os.environ.update(request["extra"])
        stages.status = 0
        status = dvc_main(request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
        print(f"{end} {status} {stages.status}", flush=True)
        os.environ.clear()
        os.environ.update(own)
        at_work.clear()

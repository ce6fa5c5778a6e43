"""A process that keeps DVC loaded and runs stages for a flow, one after the other.

    python -m flows.dvc_worker FD END [PRELOAD]

Each line from the file descriptor FD is a request: a JSON object with `words` for DVC's command line and `extra`
environment variables. When all of a request's output is out, a line follows: END, DVC's exit status, the stage's.

With PRELOAD, a module, stages run as DVC says, `python -m stages.X …`, but from a fork server that has this module
loaded: Python, torch and pandas take longer to start than most stages to run. It has none of the project's own code,
so a stage computes with the code that DVC hashes when it begins.
"""

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
from multiprocessing import forkserver
from typing import Any

if __name__ == "__main__" and sys.argv[3:]:  # before DVC: both take seconds to load, and do so side by side
    multiprocessing.get_context("forkserver").set_forkserver_preload(sys.argv[3:])
    forkserver.ensure_running()

import dvc.stage.run
from dvc.cli import main as dvc_main
from dvc.stage.exceptions import StageCmdFailedError

from flows import lockfile, parameters, unchanged
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


def listen(descriptor: int, requests: queue.SimpleQueue[dict[str, Any] | None], busy: threading.Event) -> None:
    """Take requests. When there can be no more, the owner is done, or dead; then nothing here may go on.

    The watchdog sees this too, and stops the stage as Ctrl-C does; this is for when the watchdog is dead as well.
    """
    watchdog = os.getppid()
    with os.fdopen(descriptor, encoding="utf-8") as file, suppress(ValueError):
        for line in file:
            busy.set()
            requests.put(json.loads(line))
    requests.put(None)
    if busy.is_set():
        if os.getppid() != watchdog:
            os.killpg(0, signal.SIGINT)
        time.sleep(GRACE + 1)
        os.killpg(0, signal.SIGKILL)


def main(descriptor: int, end: str, forks: bool) -> None:
    """Run stages until there are no more requests."""
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=listen, args=(descriptor, requests, busy), daemon=True).start()
    gc.freeze()  # DVC is loaded, and no garbage
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
        busy.clear()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(int(sys.argv[1]), sys.argv[2], forks=bool(sys.argv[3:]))

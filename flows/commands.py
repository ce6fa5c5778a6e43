"""Commands of the flow: their lines go live into the log, and no process outlives the call, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from flows.leash import GRACE
from multiresunet.errors import UserError

CHECK = ("stages.fetch", "--check")  # DVC can't see whether users' folders have changed
HOURS = 48.0  # for one stage; the longest, all folds of a large data set, take a day on a GPU
NETWORK = "can't be downloaded"  # what a command says that may be lucky the next time
LEASH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")))


class Commands:
    """All commands that run now, so that they can be stopped together."""

    def __init__(self, lock: int | None = None) -> None:
        """`lock`: a file descriptor that every command's leash inherits and so keeps open until the command ended."""
        self._keep = () if lock is None else (lock,)
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def follow(
        self,
        name: str,
        *words: str,
        on_line: Callable[[str], None],
        extra: Mapping[str, str] | None = None,
        hours: float | None = None,
    ) -> None:
        """Run `python -m WORDS`.

        Args:
            name: what runs, for messages
            words: module and arguments
            on_line: gets each line as it comes
            extra: environment variables beside this process' own
            hours: how long it may take

        Raises:
            UserError: it failed, with its own `error: …` line or else its last line; or it took too long
        """
        if self._stopped:
            raise UserError(f"{name} doesn't begin, since the run was stopped")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        error = last = ""
        late = threading.Event()
        with subprocess.Popen(
            [*LEASH, sys.executable, "-m", *words],
            env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=self._keep,
        ) as process:
            assert process.stdout

            def end() -> None:
                late.set()
                stop(process)

            timer = threading.Timer(hours * 3600, end) if hours else None
            self._running.add(process)
            try:
                if timer:
                    timer.daemon = True
                    timer.start()
                for line in filter(None, map(str.rstrip, process.stdout)):
                    on_line(line)
                    error, last = line if line.startswith("error: ") else error, line
            except BaseException:
                stop(process)
                raise
            finally:
                if timer:
                    timer.cancel()
                self._running.discard(process)
        with suppress(ProcessLookupError, PermissionError):  # if somebody has killed the leash, what was on it
            os.killpg(process.pid, signal.SIGKILL)
        if late.is_set():
            raise UserError(f"{name} took longer than {hours:g} hours and was stopped; allow it more (`--hours`)")
        if process.returncode:
            raise UserError(f"{name} failed with {error or last or f'exit status {process.returncode}'}")

    def stop(self) -> None:
        """Stop all that runs, and begin nothing more."""
        self._stopped = True
        for process in list(self._running):
            stop(process)


def leashed(*words: str, extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Run `python -m WORDS`, unheard, until this process ends."""
    return subprocess.Popen(
        [*LEASH, sys.executable, "-m", *words],
        env={**os.environ, **extra},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


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

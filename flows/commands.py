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

from flows.watchdog import GRACE
from multiresunet.errors import UserError

CHECK = ("stages.fetch", "--check")  # DVC can't see whether users' folders have changed
HOURS = 48.0  # for one stage; the longest, all folds of a large data set, take a day on a GPU
NETWORK = "can't be downloaded"  # what a command says when trying again, or on another machine, may help
OFFLINE = "(no connection)"  # what it says too if this machine has no network
WATCHDOG = (sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py")))


HINTS = ("Use `dvc", "To track the changes", "To enable auto staging", "Having any troubles", "\t")  # DVC's, on success


class Cause:
    """Why a command failed, from its lines.

    That is the first that there is of: the stage's own `error: …`; the exception of its last traceback; DVC's last
    `ERROR: …`; the exit status, with the last line that isn't a hint of DVC's.
    """

    def __init__(self) -> None:
        self._own = self._exception = self._dvc = self._last = ""
        self._in_traceback = False

    def add(self, line: str) -> None:
        """Take the next line."""
        if not line.startswith(HINTS):
            self._last = line
        if line.startswith("Traceback (most recent call last)"):
            self._in_traceback = True
        elif line.startswith("error: "):
            self._own = line
        elif line.startswith("ERROR: "):
            self._dvc = line
        elif self._in_traceback and not line.startswith(" "):
            self._exception, self._in_traceback = line, False

    def of(self, status: int) -> str:
        """The cause, given the exit status."""
        last = f" after {self._last!r}" if self._last else ""
        return self._own or self._exception or self._dvc or f"exit status {status}{last}"


class Commands:
    """All commands that run now, so that they can be stopped together."""

    def __init__(self, lock: int | None = None) -> None:
        """`lock`: a file descriptor that each command's watchdog inherits and keeps open until the command ends."""
        self._inherited = () if lock is None else (lock,)
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
            UserError: it failed (with the cause in its own words), or took too long
        """
        if self._stopped:
            raise UserError(f"{name} doesn't begin, since the run was stopped")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        cause = Cause()
        late = threading.Event()
        with subprocess.Popen(
            [*WATCHDOG, sys.executable, "-m", *words],
            env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            pass_fds=self._inherited,
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
                if self._stopped:  # between the check above and `add`
                    stop(process)
                for line in filter(None, map(str.rstrip, process.stdout)):
                    on_line(line)
                    cause.add(line)
            except BaseException:
                stop(process)
                raise
            finally:
                if timer:
                    timer.cancel()
                self._running.discard(process)
        with suppress(ProcessLookupError, PermissionError):  # what is left if somebody has killed the watchdog
            os.killpg(process.pid, signal.SIGKILL)
        if late.is_set():
            raise UserError(f"{name} took longer than {hours:g} hours and was stopped; allow it more (`--hours`)")
        if process.returncode:
            raise UserError(f"{name} failed with {cause.of(process.returncode)}")

    def stop(self) -> None:
        """Stop all that runs, and begin nothing more."""
        self._stopped = True
        for process in list(self._running):
            stop(process)


def watched(*words: str, extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Run `python -m WORDS`, without its output, until this process ends."""
    return subprocess.Popen(
        [*WATCHDOG, sys.executable, "-m", *words],
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

"""Commands and stages of the flow: their lines go live into the log, and no process outlives it, however it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from flows.workers import Worker, environment, start, stop
from multiresunet.errors import UserError

CHECK = ("stages.fetch", "--check")  # DVC can't see whether users' folders have changed
HOURS = 48.0  # for one stage; the longest, all folds of a large data set, take a day on a GPU
PRELOAD, PRELOAD_FROM = "stages.preload", 5  # what stages share is loaded once, if so many are to run
NETWORK = "can't be downloaded"  # what a command says when trying again, or on another machine, may help
OFFLINE = "(no connection)"  # what it says too if this machine has no network
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
# DVC's, on success, and where to ask for help.
HINTS = (
    *("Use `dvc", "To track the changes", "To enable auto staging", "Having any troubles"),
    *("\tgit add", "\tdvc config core.autostage"),
)


class KilledError(UserError):
    """A process was killed, by somebody or by the kernel for want of memory; nothing is wrong with what it did."""


class Cause:
    """Why a command failed, from its lines.

    That is the first that there is of: the stage's own `error: …`; the exception of its last traceback; DVC's last
    `ERROR: …`; the exit status, with the last line that isn't a hint of DVC's.
    """

    def __init__(self) -> None:
        self._own = self._exception = self._dvc = self._last = ""
        self._goes_on = False  # DVC names who has locked a file, and a remedy, in the line after its error
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
        elif self._goes_on:
            self._dvc += f" {line.strip()}"
        elif self._in_traceback and not line.startswith(" "):
            self._exception, self._in_traceback = line, False
        self._goes_on = line.startswith("ERROR: ") and line.endswith((" blocked by:", " with"))

    def of(self, status: int) -> str:
        """The cause, given the exit status."""
        last = f" after {self._last!r}" if self._last else ""
        return self._own or self._exception or self._dvc or f"exit status {status}{last}"


class Commands:
    """All commands that run now, so that they can be stopped together."""

    def __init__(self, lock: int | None = None) -> None:
        """`lock`: a file descriptor that each command's watchdog inherits and keeps open until the command ends."""
        self._inherited = () if lock is None else (lock,)
        self._running: list[Callable[[], None]] = []  # what ends each
        self._idle: list[Worker] = []
        self._leaving: list[Worker] = []
        self.preload = ""  # module that processes which run stages keep loaded
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
            KilledError: somebody has killed it
            UserError: it failed (with the cause in its own words), or took too long
        """
        self._may_begin(name)
        with start(words, environment(extra), self._inherited) as process:
            assert process.stdout
            cause = self._listen(name, process.stdout, partial(stop, process), on_line, hours)
        stop(process, signal.SIGKILL)  # what is left if somebody has killed the watchdog
        check(name, cause, process.returncode)

    def run_stage(
        self,
        name: str,
        *words: str,
        on_line: Callable[[str], None],
        extra: Mapping[str, str] | None = None,
        hours: float | None = None,
    ) -> None:
        """Run `dvc WORDS`, which runs one stage, in a process that has DVC and the libraries loaded.

        Args and errors: as `follow`.
        """
        self._may_begin(name)
        worker = self._worker()
        try:
            cause = self._listen(name, worker.ask(words, extra or {}), worker.stop, on_line, hours)
        except BaseException:
            worker.end()
            raise
        if worker.status is None:
            worker.end()
            check(name, cause, worker.process.returncode or KILLED[0])
        self._idle.append(worker)
        check(name, cause, KILLED[0] if worker.stage_status in KILLED else worker.status or 0)

    def _worker(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.end()
        return Worker(self._inherited, self.preload)

    def prepare(self, planned: int, first: int) -> None:
        """Start processes for the stages that begin first: they load DVC while something else is done.

        Args:
            planned: how many stages may have to run
            first: how many of them begin side by side
        """
        self.preload = PRELOAD if planned >= PRELOAD_FROM else ""
        while len(self._idle) < first:
            self._idle.append(Worker(self._inherited, self.preload))

    def release(self) -> None:
        """Let the processes that wait for stages end; `close` sees that they do."""
        while self._idle:
            self._leaving.append(worker := self._idle.pop())
            worker.refuse()

    def _may_begin(self, name: str) -> None:
        if self._stopped:
            raise UserError(f"{name} doesn't begin, since the run was stopped")

    def _listen(
        self,
        name: str,
        lines: Iterable[str],
        end: Callable[[], None],
        on_line: Callable[[str], None],
        hours: float | None,
    ) -> Cause:
        """Hand on a process' lines, but DVC's hints, until there are no more; `end` it if it takes too long."""
        cause, late = Cause(), threading.Event()

        def end_late() -> None:
            late.set()
            end()

        timer = threading.Timer(hours * 3600, end_late) if hours else None
        self._running.append(end)
        try:
            if timer:
                timer.daemon = True
                timer.start()
            if self._stopped:  # between `_may_begin` and `append`
                end()
            for line in filter(None, map(str.rstrip, lines)):
                if not line.startswith(HINTS):
                    on_line(line)
                    cause.add(line)
        except BaseException:
            end()
            raise
        finally:
            if timer:
                timer.cancel()
            self._running.remove(end)
        if late.is_set():
            raise UserError(f"{name} took longer than {hours:g} hours and was stopped; allow it more (`--hours`)")
        return cause

    def stop(self) -> None:
        """Stop all that runs, and begin nothing more."""
        self._stopped = True
        for end in list(self._running):
            end()
        self.close()

    def close(self) -> None:
        """End the processes that wait for stages."""
        self.release()  # all at once
        while self._leaving:
            self._leaving.pop().end()


def check(name: str, cause: Cause, status: int) -> None:
    """Raise an error, unless the exit status is 0.

    Raises:
        KilledError: somebody has killed what ran
        UserError: it failed
    """
    if status in KILLED:
        raise KilledError(f"{name} was killed (by somebody, or for want of memory)")
    if status:
        raise UserError(f"{name} failed with {cause.of(status)}")

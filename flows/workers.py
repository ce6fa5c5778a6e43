"""The flow's end of a process under a watchdog, and of one that keeps DVC loaded (flows/dvc_worker.py)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from multiresunet.watchdog import COMMAND, GRACE


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment, in which `python` is this one and writes lines at once, in UTF-8."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **(extra or {})}


def start(words: Sequence[str], env: Mapping[str, str], inherited: Sequence[int]) -> subprocess.Popen[str]:
    """Run `python -m WORDS` under a watchdog, in a process group of their own.

    Args:
        words: module and arguments
        env: the environment
        inherited: file descriptors that both inherit
    """
    return subprocess.Popen(
        [*COMMAND, sys.executable, "-m", *words],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=inherited,
    )


def stop(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """End a process and its group as Ctrl-C would, so that DVC and the stage tidy up; then by force."""
    with suppress(ProcessLookupError, PermissionError):  # macOS calls it permission when all are dead
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            pass
        finally:
            os.killpg(process.pid, signal.SIGKILL)


class Worker:
    """A process that keeps DVC loaded and runs stages, one after the other."""

    def __init__(self, inherited: Sequence[int], preload: str = "") -> None:
        """Start it, and don't wait until it has DVC loaded.

        Args:
            inherited: file descriptors that it keeps open
            preload: module that it keeps loaded for the stages; none, and each stage loads what it needs
        """
        self.status: int | None = None  # of the last request, DVC's; None if the worker died meanwhile
        self.stage_status = 0
        self._end = f"end-{uuid.uuid4().hex}"  # no stage prints this
        requests, own = os.pipe()
        try:
            words = ["flows.dvc_worker", str(requests), self._end, *([preload] if preload else [])]
            self.process = start(words, environment(), (*inherited, requests))
        finally:
            os.close(requests)
        self._requests = os.fdopen(own, "w", encoding="utf-8")

    def ask(self, words: Sequence[str], extra: Mapping[str, str]) -> Iterator[str]:
        """Let it do what `dvc WORDS` does, with some environment variables more; its lines, until it's done or dead."""
        self.status, self.stage_status = None, 0
        with suppress(BrokenPipeError, ValueError):  # it has died, or was stopped; so there are no lines
            print(json.dumps({"words": words, "extra": dict(extra)}), file=self._requests, flush=True)
        assert self.process.stdout
        for line in self.process.stdout:
            before, found, after = line.partition(self._end)
            if not found:
                yield line
                continue
            yield before  # what a stage has left without an end of line
            self.status, self.stage_status = map(int, after.split())
            return

    def stop(self) -> None:
        """End it and the stage that it runs, as Ctrl-C would; then by force."""
        self.refuse()
        stop(self.process)

    def refuse(self) -> None:
        """Take no more requests, so that it ends when it has done what it does; don't wait for that."""
        with suppress(OSError):
            self._requests.close()

    def end(self) -> None:
        """Let it end, then see that nothing of it is left."""
        self.refuse()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

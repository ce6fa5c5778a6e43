"""Runs modules in processes that have heavy libraries loaded already: PyTorch or Prefect takes seconds to import.

    python -m tests.warm MODULE …       # imports these, then takes requests, a line of JSON each

The project's own code is imported anew for each request, from the folder in which it is to run, as `python -m` would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = ("stages.preload", "matplotlib.pyplot", "optuna", "dvc.cli", "dvc.repo", "dvc.commands.repro")


class Warm:
    """One process that forks another for each run."""

    def __init__(self, preload: tuple[str, ...] = HEAVY, env: Mapping[str, str] | None = None) -> None:
        """`env`: in which the libraries are loaded, and what a run has if it has no other."""
        self.env = dict(os.environ if env is None else env)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", *preload],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *words: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: int = 400
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m WORDS` says and does in a folder; after `timeout` seconds it is ended by a signal."""
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            said = [Path(folder, name) for name in ("out", "err")]
            request = {"words": words, "cwd": str(cwd), "timeout": timeout}
            request |= {"env": dict(self.env if env is None else env)}
            print(json.dumps(request | {"said": [str(path) for path in said]}), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
            out, err = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess(["python", "-m", *words], status, out, err)

    def end(self) -> None:
        """End the process."""
        with self._process:
            pass


def serve(preload: list[str]) -> None:
    """Take requests until there are no more."""
    before = dict(os.environ)
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for name in preload:
        import_module(name)
    for line in requests:
        if not (child := os.fork()):
            requests.close()
            answers.close()
            os._exit(run(json.loads(line), before))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    os._exit(0)  # tidying up takes PyTorch seconds


def run(request: dict[str, object], before: dict[str, str]) -> int:
    """Do what is asked for, in this process; its exit status."""
    from flows.forked import run_module

    words, env, said, timeout = (request[name] for name in ("words", "env", "said", "timeout"))
    assert isinstance(timeout, int)
    signal.alarm(timeout)  # nobody waits for ever, and no one else uses it
    assert isinstance(words, list)
    assert isinstance(env, dict)
    assert isinstance(said, list)
    for descriptor, path in zip((1, 2), said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    own = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [str(request["cwd"]), *own, *(path for path in sys.path if path not in ("", *own))]
    try:
        run_module(words[0], words[1:], env, str(request["cwd"]), before)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve(sys.argv[1:])

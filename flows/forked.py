"""What a process that the fork server has made does: run a module as `python -m` would."""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import signal
import sys
import traceback

OWN = ("flows", "multiresunet", "stages")  # imported anew: a file may have changed since the fork server has begun
LOST = 255  # multiprocessing's exit status of a process whose fork server was killed


def run_module(module: str, words: list[str], env: dict[str, str], folder: str, before: dict[str, str]) -> None:
    """Run a module as a process of its own would.

    Args:
        module: its name
        words: the command line
        env: the environment
        folder: where to work
        before: the environment in which the fork server has begun; what it has changed since, for the libraries that it
            has loaded, holds here too
    """
    gc.freeze()  # the libraries are no garbage: looking through them takes a fifth of a second each time
    gc.enable()  # stages.preload is loaded without
    now = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    os.environ.update({name: value for name, value in now.items() if before.get(name) != value})
    for name in before.keys() - now.keys():
        os.environ.pop(name, None)
    os.chdir(folder)
    for name in list(sys.modules):
        if name.partition(".")[0] in OWN:
            del sys.modules[name]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code & 0xFF == LOST:
            sys.exit(1)
        raise
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # multiprocessing's children leave these out

"""A process that keeps DVC loaded and runs stages for a flow, one after the other.

    python -m flows.dvc_worker FD END [PRELOAD]

Each line from the file descriptor FD is a request: a JSON object with `words` for DVC's command line and `extra`
environment variables. When all of a request's output is out, a line follows: END, DVC's exit status, the stage's.

With PRELOAD, a module, stages run as DVC says, `python -m stages.X …`, but from a fork server that has this module
loaded: Python, torch and pandas take longer to start than most stages to run. It has none of the project's own code,
so a stage computes with the code that DVC hashes when it begins.

What the fork server forks imports this module first, as multiprocessing has it; so DVC is imported elsewhere.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from contextlib import suppress
from multiprocessing import forkserver

if __name__ == "__main__":
    gc.disable()  # what is loaded is no garbage
    if sys.argv[3:]:  # before DVC: both take seconds to load, and do so side by side
        multiprocessing.get_context("forkserver").set_forkserver_preload(sys.argv[3:])
        forkserver.ensure_running()
    with suppress(KeyboardInterrupt):
        from flows.dvc_stages import main

        main(int(sys.argv[1]), sys.argv[2], forks=bool(sys.argv[3:]))

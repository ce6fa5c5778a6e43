"""Ends a command when the process that started it has gone, even by SIGKILL, which leaves no time to tidy up.

    python multiresunet/watchdog.py COMMAND …     run a command in this process' group, and end the group

The owner starts it in a process group of its own, holds the other end of standard input open and never writes to it.
Every stage waits for this module to start, so it imports only the quickest modules of the standard library.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

COMMAND = (sys.executable, "-I", "-S", __file__)
GRACE = 10.0  # seconds to end by itself


def wait_for_owner() -> None:
    """Return when the owner has closed its end of standard input, or is dead."""
    with suppress(OSError):
        while os.read(0, 1):
            pass


def run(command: list[str]) -> int:
    """Run a command under the watchdog.

    Returns:
        Its exit status, as a shell reports it.
    """
    signal.signal(signal.SIGINT, lambda *_: None)  # meant for the rest of the group; children would inherit SIG_IGN
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)  # what the owner hands on is for it

    def watch() -> None:
        wait_for_owner()
        os.killpg(0, signal.SIGINT)  # like Ctrl-C, so that DVC releases its locks and the stage saves its state
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    if status == -signal.SIGKILL:  # its children don't know, and would go on
        os.killpg(0, signal.SIGKILL)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

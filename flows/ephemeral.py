"""Prefect's server for one run: `python -m flows.ephemeral PORT`. It ends when the process that started it does.

The owner holds the other end of standard input open, as it does for a watchdog; the server needs none, so that nothing
but the owner's end ends it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from multiresunet.paths import STATE
from multiresunet.watchdog import GRACE, wait_for_owner

QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
# What a server for one run doesn't need, and takes time: a UI, and blocks, for which it imports each package that adds
# some to Prefect.
LEAN = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "0",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "0",
}


@dataclass(frozen=True)
class Server:
    """A server that starts, or runs."""

    process: subprocess.Popen[bytes]
    port: int

    def answers(self) -> bool:
        """Whether it has started."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def settings() -> dict[str, str]:
    """What DVC and Prefect are told in this process and in those that it starts, before they are loaded."""
    told = {"DVC_NO_ANALYTICS": "1", "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS": "10,60,300"}
    return {**told, **QUIET, **own_home()}


def own_home() -> dict[str, str]:
    """PREFECT_HOME below the current folder, if the user's home isn't a place to write to; else nothing."""
    try:
        home = Path.home() / ".prefect"
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"a byte")  # a full disk takes a file, and nothing in it
            file.flush()
            return {}
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        home = (STATE / "prefect").absolute()
        home.mkdir(parents=True, exist_ok=True)
        return {"PREFECT_HOME": str(home)}


def launch() -> Server:
    """Start a server at a free port, and don't wait: it takes seconds, in which its owner can import Prefect."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return Server(
        subprocess.Popen(
            [sys.executable, "-m", "flows.ephemeral", str(port)],
            env=QUIET | os.environ | LEAN,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ),
        port,
    )


def end_with_owner() -> None:
    """End this process when its owner has gone: kindly, then by force."""
    wait_for_owner()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    gc.disable()  # what is loaded is no garbage
    import uvicorn
    from prefect.server.api.server import create_app

    gc.freeze()
    gc.enable()
    threading.Thread(target=end_with_owner, daemon=True).start()
    uvicorn.run(create_app, factory=True, port=int(sys.argv[1]), log_level="error")

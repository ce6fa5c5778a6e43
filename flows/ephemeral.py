"""Prefect's server for one run: `python -m flows.ephemeral PORT`. It ends when the process that started it does.

The owner holds the other end of standard input open, as it does for a watchdog; the server needs none, so that nothing
but the owner's end ends it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from multiresunet.watchdog import GRACE, wait_for_owner

QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@dataclass(frozen=True)
class Server:
    """A server that starts, or runs."""

    process: subprocess.Popen[bytes]
    port: int

    def answers(self) -> bool:
        """Whether it has started."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def launch() -> Server:
    """Start a server at a free port, and don't wait: it takes seconds, in which its owner can import Prefect."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return Server(
        subprocess.Popen(
            [sys.executable, "-m", "flows.ephemeral", str(port)],
            env=QUIET | os.environ | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"},
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
    import uvicorn

    threading.Thread(target=end_with_owner, daemon=True).start()
    uvicorn.run("prefect.server.api.server:create_app", factory=True, port=int(sys.argv[1]), log_level="error")

"""Prefect's server for a run that has none, and the run as a command does it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_URL

from flows.commands import watched
from flows.pipeline import pipeline
from multiresunet.errors import UserError

POLL = 0.1  # seconds between two looks whether the server answers
START = 120.0  # seconds for a server to start in, on a busy machine
SERVERS: list[subprocess.Popen[bytes]] = []  # kept until this process ends, since their watchdogs listen to it


def reach_server() -> None:
    """Start a server for this run, unless PREFECT_API_URL names one.

    Prefect would do so itself, but in three seconds more, and leave it behind when this process is killed.

    Raises:
        UserError: the server named doesn't answer, or a new one doesn't start
    """
    if PREFECT_API_URL.value():
        if get_client(sync_client=True).api_healthcheck():
            raise UserError(
                f"no Prefect server answers at {PREFECT_API_URL.value()}; start it or unset PREFECT_API_URL"
            )
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    port = str(address[1])
    server = ("uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", port, "--log-level", "error")
    # Under a watchdog, it ends after this process has handed over its last lines, or when it's killed.
    SERVERS.append(watched(*server, extra={"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}))
    deadline = time.monotonic() + START
    while not answers(address):
        if SERVERS[-1].poll() is not None or time.monotonic() > deadline:
            raise UserError("Prefect's server doesn't start; `prefect server start` says why")
        time.sleep(POLL)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ.setdefault("PREFECT_UI_URL", "")  # it has none to point to
    refresh_global_settings_context()


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def run(**words: Any) -> None:
    """Run the flow as a command does, which ends when the server does.

    Raises:
        KeyboardInterrupt: by Ctrl-C or SIGTERM
        UserError: as `pipeline`; or the server named doesn't answer
    """
    try:
        reach_server()
        pipeline(**words)
    except TerminationSignal:
        raise KeyboardInterrupt from None
    except httpx.TransportError:
        print("error: Prefect's server has gone; run again to go on from here", file=sys.stderr, flush=True)
        os._exit(1)  # Prefect would go on for minutes to hand over its log
    finally:
        logging.getLogger("prefect").setLevel(logging.ERROR)  # the server's farewell isn't the last word

"""Prefect's server for a run that has none, and the run as a command does it."""

from __future__ import annotations

import gc
import logging
import os
import time
from contextlib import nullcontext
from typing import Any

import fastapi.encoders  # noqa: F401 - Prefect does when a run begins; here its server starts meanwhile
import httpx
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.ephemeral import Server, launch
from flows.pipeline import pipeline
from multiresunet.errors import UserError

POLL = 0.02  # seconds between two looks whether the server answers
START = 120.0  # seconds for a server to start in, on a busy machine
SERVERS: list[Server] = []  # kept until this process ends, which they wait for


def reach_server(launched: Server | None) -> None:
    """Wait for the server of this run, unless PREFECT_API_URL names one.

    Prefect would start one itself, but in three seconds more, and leave it behind when this process is killed.

    Args:
        launched: a server that has been started already

    Raises:
        UserError: the server named doesn't answer, or a new one doesn't start
    """
    if PREFECT_API_URL.value():
        if launched:
            launched.process.kill()
        if get_client(sync_client=True).api_healthcheck():
            raise UserError(
                f"no Prefect server answers at {PREFECT_API_URL.value()}; start it or unset PREFECT_API_URL"
            )
        return
    server = launched or launch()
    SERVERS.append(server)
    deadline = time.monotonic() + START
    while not server.answers():
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise UserError("Prefect's server doesn't start; `prefect server start` says why")
        time.sleep(POLL)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{server.port}/api"
    os.environ.setdefault("PREFECT_UI_URL", "")  # it has none to point to
    refresh_global_settings_context()


def is_away() -> bool:
    """Whether the server of this run doesn't answer, or there is none."""
    try:
        httpx.get(f"{PREFECT_API_URL.value()}/health", timeout=10)
    except httpx.TransportError:
        return True
    return False


def run(launched: Server | None, **words: Any) -> None:
    """Run the flow as a command does, which ends when the server does.

    Args:
        launched: a server that has been started for it
        words: the flow's parameters

    Raises:
        KeyboardInterrupt: by Ctrl-C or SIGTERM
        UserError: as `pipeline`; or the server named doesn't answer, or has gone
    """
    logging.raiseExceptions = False  # if the server dies, it gets no log, and that is said once, at the end
    try:
        gc.freeze()  # all is loaded, without a look for garbage (flows/pipeline.py)
        gc.enable()
        reach_server(launched)
        # Nobody asks a server that is this run's own for signs of life, and a run's end waits for the thread that gives
        # them, up to a second.
        unwatched = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}) if SERVERS else nullcontext()
        with unwatched:
            pipeline(**words)
    except TerminationSignal:
        raise KeyboardInterrupt from None
    except httpx.TransportError:
        raise UserError("Prefect's server has gone; run again to go on from here") from None
    finally:
        logging.getLogger("prefect").setLevel(logging.ERROR)  # the server's farewell isn't the last word

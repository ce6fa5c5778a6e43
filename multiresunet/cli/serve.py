"""`multiresunet serve`: a page on this machine that predicts images with a trained model."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from typing import Annotated

import typer

from multiresunet.cli.predict import (
    Device,
    Flips,
    Folds,
    How,
    HowOption,
    Memory,
    ModelName,
    Threads,
    Tta,
    bytes_of,
    chosen,
)
from multiresunet.errors import UserError
from multiresunet.serving.guard import is_local


def serve(
    model: ModelName,
    host: Annotated[str, typer.Option(help="address to listen at; any but this machine's own needs --token")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="MULTIRESUNET_TOKEN", help="secret that every request must carry, as Authorization: Bearer TOKEN"
        ),
    ] = None,
    limit: Annotated[str, typer.Option(help="the largest file that is accepted, as 256M")] = "256M",
    folds: Folds = "all",
    tta: Tta = Flips.none,
    how: HowOption = How.trained,
    memory: Memory = "2G",
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Serve a page that predicts images.

    Drop an image, look at its mask, download it. Nothing leaves this machine.
    """
    local = is_local(host)
    if not local and not token:
        raise UserError(f"--host {host}: others could use this server; set a secret: --token, or MULTIRESUNET_TOKEN")
    if token and not re.fullmatch("[!-~]+", token):  # what a header can carry
        raise UserError("--token: has spaces or signs that a browser can't send; use letters, digits, - and _")
    largest, room = bytes_of(limit, "--limit"), bytes_of(memory)
    with listening(host, port) as listener:
        # Here, since PyTorch takes seconds, and a word that is wrong should be said at once.
        import uvicorn

        from multiresunet.inference.loading import load_model
        from multiresunet.inference.model import Options
        from multiresunet.serving.app import application

        loaded = load_model(model, folds, chosen(device, threads))
        options = Options(how.value, tta is Flips.flip, None, room)
        app = application(loaded, options, largest, token or None, local)
        address = f"[{host}]" if ":" in host else host
        secret = "/#token=TOKEN" if token else ""
        print(f"{loaded.folder} at http://{address}:{listener.getsockname()[1]}{secret} (Ctrl+C ends it)", flush=True)
        settings = uvicorn.Config(
            app, log_level="warning", ws="none", server_header=False, proxy_headers=False, timeout_graceful_shutdown=5
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(settings).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: if the port is taken, or the address isn't this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        what = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise UserError(
            f"http://{host}:{port}: {what}; choose another --port, 0 for one that is free, or --host"
        ) from None

"""Sections `fetch` and `machine`, on which no result depends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from multiresunet.config.base import Strict, Url, UrlOrFile


class Mirror(Strict):
    """Where files lie whose URL starts with `from`: at the same path under `to`, a URL or a folder (file://…)."""

    origin: Annotated[Url, Field(alias="from")]
    to: UrlOrFile


class Fetch(Strict):
    """How data sets are downloaded. No result depends on it, so it may be left out and makes no stage stale."""

    mirror: Mirror | None = None
    connections: Annotated[int, Field(ge=1, le=64)] = 8


class Machine(Strict):
    """How training uses the machine.

    Several devices give the same results but for rounding; apart from that nothing depends on it, so it may be left out
    and makes no stage stale.
    """

    save_every: PositiveFloat = 120.0
    heartbeat: PositiveInt = 30
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    strategy: Literal["ddp", "ddp_find_unused_parameters_true"] = "ddp"

"""What a run of the flow has left."""

from __future__ import annotations

import re
from typing import Any

import httpx


def tasks(log: str) -> list[tuple[str, str]]:
    """(task, state) in the order in which they ended; tasks that ran side by side end in any."""
    return re.findall(r"Task run '(.+?)' - Finished in state (\w+)", log)


def artifacts(environment: dict[str, str]) -> dict[str, Any]:
    """By key, the latest data that a flow has shown; all tests share the server."""
    found = httpx.post(f"{environment['PREFECT_API_URL']}/artifacts/filter", json={}).json()
    return {each["key"]: each["data"] for each in sorted(found, key=lambda artifact: str(artifact["created"]))}

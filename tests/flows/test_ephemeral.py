"""A server for one run."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest

from flows.ephemeral import launch


def test_it_has_no_more_than_a_run_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    server = launch()
    while not server.answers() and server.process.poll() is None:
        time.sleep(0.1)
    url = f"http://127.0.0.1:{server.port}"
    assert httpx.get(f"{url}/api/health").is_success
    assert httpx.post(f"{url}/api/block_types/filter", json={}).json() == []
    assert httpx.get(f"{url}/dashboard").status_code == 404
    assert server.process.stdin
    server.process.stdin.close()  # as when its owner has gone
    assert server.process.wait(30) == -signal.SIGTERM

"""Projects and a server for the tests of the flow."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests import small
from tests.warm import Warm

Flow = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every command here; without a server's address."""
    return small.with_database(tmp_path_factory, small.settings(tmp_path_factory.mktemp("settings")))


@pytest.fixture(scope="session")
def environment(settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment with one server for all tests: each flow would start its own in ten seconds."""
    with serving(settings) as (environment, _):
        yield environment


# What a run of the flow loads, however late.
LIBRARIES = (
    *("prefect", "prefect.artifacts", "prefect.task_runners", "prefect.client.orchestration", "prefect.server"),
    *("dvc.cli", "dvc.repo", "dvc.commands.repro", "dvc.repo.reproduce", "dvc.repo.status", "networkx", "graphviz"),
    *("scipy.stats", "pandas", "pydantic", "ruamel.yaml", "scmrepo.git"),
)


@pytest.fixture(scope="session")
def flow(environment: dict[str, str]) -> Iterator[Flow]:
    """Run `python -m flows.pipeline` in a project, with Prefect loaded already and that server."""
    server = Warm(LIBRARIES, environment)
    yield lambda project, *words: server.run("flows.pipeline", *words, cwd=project)
    server.end()


def blocks(page: str, language: str = "sh") -> list[str]:
    """The code blocks of a page in docs/."""
    text = (small.ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@contextmanager
def serving(
    settings: dict[str, str], port: int | None = None
) -> Iterator[tuple[dict[str, str], subprocess.Popen[bytes]]]:
    """A Prefect server, at a free port if none is given, and the environment that names it."""
    port = port or free_port()
    words = ["prefect", "server", "start", "--port", str(port), "--no-ui"]
    url = f"http://127.0.0.1:{port}/api"
    server = subprocess.Popen([sys.executable, "-m", *words], env=settings, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 1200  # a busy machine needs minutes
        while not answers(url):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield settings | {"PREFECT_API_URL": url}, server
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


def ours(folder: Path) -> list[psutil.Process]:
    """All processes that work in a folder, wherever they come from."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> Path:
    return small.create(tmp_path_factory.mktemp("template"), settings)


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """A DVC project in which nothing has run."""
    return Path(shutil.copytree(template, tmp_path / "project"))


@pytest.fixture(scope="session")
def reproduced(template: Path, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> Path:
    """The same after a plain `dvc repro`; not to be changed."""

    def make(folder: Path) -> None:
        shutil.copytree(template, folder, dirs_exist_ok=True)
        subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=folder, env=settings, check=True)

    return small.once(tmp_path_factory, "reproduced", make)


@pytest.fixture
def finished(reproduced: Path, tmp_path: Path) -> Path:
    """A DVC project in which everything is up to date."""
    return Path(shutil.copytree(reproduced, tmp_path / "project"))

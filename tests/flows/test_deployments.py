"""prefect.yaml on a real server: what it declares, and a schedule that fires by itself."""

from __future__ import annotations

import fcntl
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.pipeline import pipeline
from flows.retrain import retrain
from flows.worktree import OWN_LOCK, alone
from multiresunet.errors import UserError
from tests import small
from tests.flows.conftest import blocks, ours, serving

CRON = '{cron: "0 2 * * *", timezone: UTC, slug: nightly}'


def declared(repository: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in yaml.safe_load((repository / "prefect.yaml").read_text())["deployments"]}


def test_every_deployment_names_a_flow_its_pool_and_known_parameters(repository: Path) -> None:
    found = declared(repository)
    assert {"nightly", "on-demand", "retrain"} < found.keys()
    flows = {"flows/pipeline.py:pipeline": pipeline, "flows/retrain.py:retrain": retrain}
    pools = {"": "machine", "docker": "containers", "kubernetes": "cluster"}
    for name, each in found.items():
        flow = flows[each["entrypoint"]]
        flow.validate_parameters(each.get("parameters", {}))
        kind = next((kind for kind in ("docker", "kubernetes") if name.endswith(kind)), "")
        assert each["work_pool"]["name"] == pools[kind]


@pytest.mark.slow
def test_a_schedule_fires_by_itself_and_shows_its_artifacts(
    tmp_path: Path, settings: dict[str, str], repository: Path
) -> None:
    project = tmp_path / "project"
    small.create(project, settings)
    text = (repository / "prefect.yaml").read_text()
    assert CRON in text
    text = text.replace(CRON, '{cron: "* * * * *", timezone: UTC, slug: nightly}')
    (project / "prefect.yaml").write_text(text.replace("{commit: origin/main, push: true}", "{}"))
    (project / "flows").symlink_to(repository / "flows")
    small.commit(project, settings)
    own = {"PREFECT_HOME": str(tmp_path / "prefect")}  # a server that knows of no other run
    with serving(settings | own) as (environment, _), (tmp_path / "log").open("w") as log:

        def prefect(*words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
            return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)

        def ask(what: str, **words: Any) -> list[dict[str, Any]]:
            answer = httpx.post(f"{environment['PREFECT_API_URL']}/{what}/filter", json=words, timeout=60)
            found: list[dict[str, Any]] = answer.raise_for_status().json()
            return found

        assert prefect("work-pool", "create", "machine", "--type", "process").wait(120) == 0
        assert prefect("deploy", "--name", "nightly", "--name", "retrain").wait(120) == 0
        worker = prefect("worker", "start", "--pool", "machine")
        try:
            deadline = time.monotonic() + 900
            done: list[dict[str, Any]] = []
            while not done:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(1)
                done = ask("flow_runs", flow_runs={"state": {"type": {"any_": ["COMPLETED"]}}})
        finally:
            worker.kill()  # asked to end, it would wait for the run of the next minute
            worker.wait()
            for process in ours(project):
                process.kill()
        [run] = done[:1]
        assert run["auto_scheduled"]
        shown = ask("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
        assert {each["key"] for each in shown} >= {"summary", "metric-diff", "progress-train-a"}
    assert (project / "metrics/summary.csv").read_text() == "dataset,score\na,aaa\nb,bbb\n"


class Looked:
    """What `retrain` was told to do; it fails for as long as it is said to."""

    def __init__(self) -> None:
        self.runs = 0
        self.fails = True

    def __call__(self) -> None:
        with alone(logging.getLogger("test")):  # as the pipeline does
            self.runs += 1
        if self.fails:
            raise UserError("the disk is full")


def test_a_changed_folder_is_pinned_and_the_pipeline_runs(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from multiresunet.data.sources import folder

    monkeypatch.chdir(tmp_path)
    for kind in ("images", "masks"):
        (tmp_path / f"data/incoming/own/{kind}").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / f"data/incoming/own/{kind}/one.png")
    text = (repository / "params.yaml").read_text()
    phantom = "source: {kind: phantom, draw: nuclei, samples: 36, seed: 1}"
    assert phantom in text
    (tmp_path / "params.yaml").write_text(
        text.replace(phantom, f"source: {{kind: folder, path: own, digest: {'a' * 64}}}")
    )
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    looked = Looked()
    monkeypatch.setattr("flows.retrain.pipeline", looked)
    monkeypatch.setattr("flows.retrain.get_run_logger", lambda: logging.getLogger("test"))
    digest = folder.digest(folder.scan(folder.locate("own")))
    with pytest.raises(UserError, match="the disk is full"):
        retrain.fn()
    assert yaml.safe_load((tmp_path / "params.yaml").read_text())["datasets"]["nuclei"]["source"]["digest"] == digest
    with pytest.raises(UserError, match="the disk is full"):  # nothing has changed since, and the tables aren't made
        retrain.fn()
    assert looked.runs == 2
    looked.fails = False
    assert retrain.fn() == []
    assert looked.runs == 3
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("seed: 2020", "seed: 2021"))
    assert retrain.fn() == []  # somebody may not have finished that edit
    assert looked.runs == 3
    Image.new("L", (8, 8)).save(tmp_path / "data/incoming/own/images/two.png")
    Image.new("L", (8, 8)).save(tmp_path / "data/incoming/own/masks/two.png")
    assert retrain.fn() == ["nuclei"]
    assert looked.runs == 4


def test_a_folder_is_not_pinned_while_a_flow_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    free: list[bool] = []

    def configure(changes: object) -> None:
        with OWN_LOCK.open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free.append(False)

    monkeypatch.setattr("flows.retrain.changed", lambda: {"own": "a" * 64})
    monkeypatch.setattr("flows.retrain.configure", configure)
    monkeypatch.setattr("flows.retrain.pipeline", lambda: free.append(True))
    monkeypatch.setattr("flows.retrain.get_run_logger", lambda: logging.getLogger("test"))
    assert retrain.fn() == ["own"]
    assert free == [False, True]


LEASE = """
import asyncio, sys
from datetime import timedelta
from uuid import uuid4
from prefect.server.concurrency.lease_storage import get_concurrency_lease_storage
leases = get_concurrency_lease_storage()
if sys.argv[1] == "take":
    asyncio.run(leases.create_lease([uuid4()], timedelta(seconds=-1)))
print(len(asyncio.run(leases.read_expired_lease_ids())))
"""


def test_a_server_as_the_page_sets_it_knows_after_a_restart_whose_place_is_to_be_freed(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    words = [line for block in blocks("running.md") for line in block.splitlines() if "prefect config set " in line]
    own = settings | {"PREFECT_HOME": str(tmp_path)}
    for line in words:
        name, _, value = line.removeprefix("prefect config set ").partition("=")
        own[name] = value
    for what in ("take", "look"):
        said = subprocess.check_output([sys.executable, "-c", LEASE, what], env=own, text=True)
        assert said == "1\n"


@pytest.mark.slow
def test_a_run_that_no_worker_begins_is_offered_again(
    tmp_path: Path, settings: dict[str, str], repository: Path
) -> None:
    project = small.create(tmp_path / "project", settings)
    text = (repository / "prefect.yaml").read_text()
    assert "within: 600" in text
    text = text.replace("within: 600", "within: 10").replace("concurrency_limit: 1", "concurrency_limit: 2")
    (project / "prefect.yaml").write_text(text)
    (project / "flows").symlink_to(repository / "flows")
    small.commit(project, settings)
    own = {"PREFECT_HOME": str(tmp_path / "prefect")}
    with serving(settings | own) as (environment, _):
        for words in (
            ["work-pool", "create", "machine", "--type", "process"],
            ["deploy", "--name", "on-demand"],
            ["automation", "create", "--from-file", "prefect.yaml"],
        ):
            command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
            subprocess.run(command, cwd=project, env=environment, check=True)
        with httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=60) as server:

            def state(run: str) -> str:
                return str(server.get(f"/flow_runs/{run}").raise_for_status().json()["state"]["type"])

            def taken() -> str:
                """A run that a worker has taken, which dies then; Prefect's own worker says no more of it."""
                [deployment] = server.post("/deployments/filter", json={}).raise_for_status().json()
                made = server.post(f"/deployments/{deployment['id']}/create_flow_run", json={}).raise_for_status()
                run: str = made.json()["id"]
                assert set_state(run, "PENDING") == "ACCEPT"
                return run

            def set_state(run: str, name: str) -> str:
                words = {"state": {"type": name, "name": name.capitalize()}}
                answer = server.post(f"/flow_runs/{run}/set_state", json=words).raise_for_status().json()
                return str(answer["status"])

            begun, lost = taken(), taken()
            set_state(begun, "RUNNING")
            for _ in range(2):  # whoever takes it next may die as well
                assert [state(begun), state(lost)] == ["RUNNING", "PENDING"]
                deadline = time.monotonic() + 300
                while state(lost) == "PENDING":
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
                assert [state(begun), state(lost)] == ["RUNNING", "SCHEDULED"]
                assert set_state(lost, "PENDING") == "ACCEPT", "its place is free"

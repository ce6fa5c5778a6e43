"""SIGKILL at random moments, of the flow, of Prefect's server or of a deployment's worker; then starting again."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests import small
from tests.flows.conftest import free_port, ours, serving

pytestmark = pytest.mark.slow
STAGES = ["fetch a", "fetch b", "train a", "train b"]
# Each start and each end of a stage leaves a line where nothing is tidied up.
DIARY = """
import os, sys, time
def note(what):
    with open({path!r}, "a") as file:
        file.write(f"{{what}} {stage} {{sys.argv[1]}}\\n")
        file.flush()
if sys.argv[1] != "--check":
    note("begin")
    time.sleep({seconds})
"""


def keep_diary(folder: Path, diary: Path, seconds: float) -> None:
    """Let stages of a project take `seconds` and note when they begin and end."""
    for stage in ("fetch", "train"):
        script = folder / f"stages/{stage}.py"
        head = DIARY.format(path=str(diary), stage=stage, seconds=seconds)
        script.write_text(head + script.read_text() + '\nif sys.argv[1] != "--check":\n    note("end")\n')


def start(project: Path, environment: dict[str, str], cores: int = 2) -> subprocess.Popen[bytes]:
    with (project.parent / "log").open("a") as log:
        command = [sys.executable, "-m", "flows.pipeline", "--cores", str(cores)]
        return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)


def stages_in_order(project: Path) -> list[str]:
    return list(yaml.safe_load((project / "dvc.lock").read_text())["stages"])


def check(project: Path, reproduced: Path, diary: Path, kills: int) -> None:
    """All is made, as an undisturbed run makes it; what had ended wasn't repeated but for what was being recorded."""
    lines = diary.read_text().splitlines()
    for stage in STAGES:
        assert f"end {stage}" in lines
    ends = sum(line.startswith("end ") for line in lines)
    # A kill can come after a stage's last word and before DVC has noted it; two run side by side.
    assert ends <= len(STAGES) + 2 * kills
    begins = sum(line.startswith("begin ") for line in lines)
    assert begins <= len(STAGES) + 2 * kills
    assert (project / "metrics/summary.csv").read_bytes() == (reproduced / "metrics/summary.csv").read_bytes()
    assert stages_in_order(project) == stages_in_order(reproduced)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=project, capture_output=True, text=True)
    assert "up to date" in status.stdout
    # Deployed runs that have waited for their turn see that nothing is left to do.
    deadline = time.monotonic() + 120
    while left := ours(project):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.5)


@pytest.mark.parametrize("seed", range(2))
def test_the_flow_killed_five_times_ends_as_if_undisturbed(
    project: Path, reproduced: Path, environment: dict[str, str], seed: int
) -> None:
    diary = project.parent / "diary"
    keep_diary(project, diary, 1.5)
    moments = random.Random(seed)
    for _ in range(5):
        flow = start(project, environment)
        begun = len(diary.read_text()) if diary.exists() else 0
        deadline = time.monotonic() + 60
        # Most of a run's start is imports, in which nothing can be lost; let half of the kills come later.
        while moments.random() < 0.9 and time.monotonic() < deadline and flow.poll() is None:
            if diary.exists() and len(diary.read_text()) > begun:
                break
            time.sleep(0.2)
        time.sleep(moments.uniform(0, 3))
        flow.kill()
        flow.wait()
    time.sleep(1)
    last = start(project, environment)
    assert last.wait(900) == 0, (project.parent / "log").read_text()
    check(project, reproduced, diary, kills=5)


def test_a_killed_flow_leaves_nothing_even_its_own_server(project: Path, settings: dict[str, str]) -> None:
    diary = project.parent / "diary"
    keep_diary(project, diary, 60)
    flow = start(project, settings)
    deadline = time.monotonic() + 600
    while not diary.exists():
        assert flow.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    family = psutil.Process(flow.pid).children(recursive=True)
    assert any("flows.ephemeral" in process.cmdline() for process in family)
    flow.kill()
    flow.wait()
    left = psutil.wait_procs(family, timeout=120)[1]
    assert not [process.cmdline() for process in left if process.status() != psutil.STATUS_ZOMBIE]


def test_the_server_killed_ten_times_stops_no_stage(project: Path, reproduced: Path, settings: dict[str, str]) -> None:
    diary = project.parent / "diary"
    keep_diary(project, diary, 20)
    moments = random.Random(7)
    port = free_port()
    flow = None
    for _ in range(10):
        with serving(settings, port) as (environment, server):
            # On a busy machine a new server takes longer to start than the minute that a flow waits by itself.
            flow = flow or start(project, environment | {"PREFECT_CLIENT_MAX_RETRIES": "8"}, cores=1)
            while not diary.exists() and flow.poll() is None:
                time.sleep(0.1)
            time.sleep(moments.uniform(0, 8))
            server.kill()
            server.wait()
    with serving(settings, port):
        assert flow
        assert flow.wait(900) == 0, (project.parent / "log").read_text()
    check(project, reproduced, diary, kills=0)


def test_a_server_that_is_gone_is_one_line_at_the_end(
    project: Path, reproduced: Path, settings: dict[str, str]
) -> None:
    diary = project.parent / "diary"
    keep_diary(project, diary, 2)
    with serving(settings) as (environment, server):
        flow = start(project, environment | {"PREFECT_CLIENT_MAX_RETRIES": "1"})  # five take minutes
        while not diary.exists() and flow.poll() is None:
            time.sleep(0.1)
        server.kill()
        server.wait()
        assert flow.wait(600) == 1
    said = (project.parent / "log").read_text()
    assert said.splitlines()[-1] == "error: Prefect's server has gone; run again to go on from here"
    assert "Traceback" not in said
    check(project, reproduced, diary, kills=0)


def test_a_deployments_worker_killed_ten_times_stops_no_stage(
    project: Path, reproduced: Path, settings: dict[str, str], repository: Path
) -> None:
    diary = project.parent / "diary"
    keep_diary(project, diary, 15)
    shutil.copy(repository / "prefect.yaml", project)
    (project / "flows").symlink_to(repository / "flows")
    small.commit(project, settings)
    moments = random.Random(7)
    lease = {"PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "30"}
    own = {"PREFECT_HOME": str(project.parent / "prefect")}  # a server that knows of no other pool
    with serving(settings | own | lease) as (environment, _), (project.parent / "log").open("a") as log:

        def prefect(*words: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
            return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)

        assert prefect("work-pool", "create", "machine", "--type", "process").wait(120) == 0
        assert prefect("deploy", "--name", "on-demand").wait(120) == 0
        for kill in range(10):
            # A run that a worker has taken and not begun goes with it, and its place is free again after a while.
            if not diary.exists():
                assert prefect("deployment", "run", "pipeline/on-demand", "-p", "cores=1").wait(120) == 0
            worker = prefect("worker", "start", "--pool", "machine")
            deadline = time.monotonic() + 300
            while kill >= 5 and not diary.exists():
                assert time.monotonic() < deadline, (project.parent / "log").read_text()
                time.sleep(0.2)
            time.sleep(moments.uniform(0, 12))
            worker.kill()
            worker.wait()
        # The run's own process goes on without its worker; what comes next waits for its end.
        assert start(project, environment).wait(900) == 0, (project.parent / "log").read_text()
    check(project, reproduced, diary, kills=0)

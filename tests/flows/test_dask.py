"""Three Dask workers in clones of their own, with a real S3 server between them."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import boto3
import httpx
import psutil
import pytest

from tests import small
from tests.flows.conftest import blocks, free_port, ours

pytestmark = pytest.mark.slow


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Site:
    """A project in git with an S3 remote, a scheduler, and three workers in clones."""

    def __init__(self, folder: Path, environment: dict[str, str], stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.s3, self.scheduler = free_port(), free_port()
        self.environment = environment | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONWARNINGS": "ignore",
        }
        self.start(folder, "moto.server", "-H", "127.0.0.1", "-p", str(self.s3))
        self.start(folder, "distributed.cli.dask_scheduler", "--port", str(self.scheduler), "--no-dashboard")
        self.wait_for(self.s3, self.scheduler)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.s3}", **keys).create_bucket(Bucket="store")
        self.origin = folder / "origin"
        small.create(self.origin, self.environment)
        self.dvc(self.origin, "remote", "add", "-q", "-d", "s3", "s3://store/dvc")
        self.dvc(self.origin, "remote", "modify", "-q", "s3", "endpointurl", f"http://127.0.0.1:{self.s3}")
        # Each run of a stage leaves a line outside all clones; twice the same would be work done twice.
        for name in ("fetch", "train"):
            script = self.origin / f"stages/{name}.py"
            log = f"with open({str(folder / 'ran')!r}, 'a') as log: log.write('{name} ' + sys.argv[1] + '\\n')\n"
            script.write_text("import sys\nif sys.argv[1] != '--check':\n    " + log + script.read_text())
        small.commit(self.origin, self.environment)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.scheduler}"

    def ran(self) -> list[str]:
        path = self.folder / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(lines)

    def start(self, folder: Path, *words: str) -> subprocess.Popen[bytes]:
        """A process that lasts as long as the site."""
        log = self._stack.enter_context((self.folder / f"{words[0]}-{time.time_ns()}.log").open("w"))
        command = [sys.executable, "-m", *words]
        process = subprocess.Popen(command, cwd=folder, env=self.environment, stdout=log, stderr=log)
        self._stack.callback(end, process)
        return process

    def wait_for(self, *ports: int) -> None:
        deadline = time.monotonic() + 400
        while not all(map(is_open, ports)):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        return self.start(self.clone(name), "flows.worker", self.address, "--name", name)

    def clone(self, name: str) -> Path:
        target = self.folder / name
        subprocess.run(["git", "clone", "-q", str(self.origin), str(target)], env=self.environment, check=True)
        return target

    def dvc(self, folder: Path, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, env=self.environment, check=True)

    def flow(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.pipeline", *words]
        return subprocess.run(command, cwd=folder, env=self.environment, stderr=subprocess.PIPE, text=True, timeout=900)


def end(process: subprocess.Popen[bytes]) -> None:
    family = [process, *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    for each in family:
        each.kill()
    process.wait()


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; none if it has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def site(tmp_path: Path, environment: dict[str, str]) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, environment, stack)


def test_the_lock_is_the_same_serial_side_by_side_and_on_three_machines(site: Site) -> None:
    serial, beside, coordinator = (site.clone(name) for name in ("serial", "beside", "coordinator"))
    site.dvc(serial, "repro", "-q")
    ran = site.flow(beside, "--cores", "4")
    assert ran.returncode == 0, ran.stderr
    everything = ["fetch a", "fetch b", "train a", "train b"]
    assert site.ran() == sorted(2 * everything)
    for number in range(3):
        site.worker(f"worker{number}")
    ran = site.flow(coordinator, "--scheduler", site.address)
    assert ran.returncode == 0, ran.stderr
    assert site.ran() == everything  # each once, and none here
    for name in ("dvc.lock", "metrics/summary.csv"):
        assert (serial / name).read_bytes() == (beside / name).read_bytes() == (coordinator / name).read_bytes()
    assert (coordinator / "data/trained/b").read_text() == "bbb"


def test_a_worker_that_dies_is_replaced_and_its_stage_repeated(site: Site) -> None:
    script = site.origin / "stages/train.py"
    script.write_text("import time\ntime.sleep(6)\n" + script.read_text())
    small.commit(site.origin, site.environment)
    coordinator = site.clone("coordinator")
    worker = site.worker("first")
    flow = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline", "--scheduler", site.address],
        cwd=coordinator,
        env=site.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 600
    while "train" not in ((site.folder / "ran").read_text() if (site.folder / "ran").exists() else ""):
        assert flow.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    children = psutil.Process(worker.pid).children(recursive=True)
    for each in [psutil.Process(worker.pid), *(child for child in children if "flows.worker" in words_of(child))]:
        each.kill()
    for child in children:
        if "spawn_main" in " ".join(words_of(child)):
            child.kill()
    _, left = psutil.wait_procs(children, timeout=20)
    assert not [words_of(each) for each in left if each.status() != psutil.STATUS_ZOMBIE]
    site.worker("second")
    log = flow.communicate(timeout=900)[1]
    assert flow.returncode == 0, log
    lines = site.ran()
    assert lines.count("fetch a") == lines.count("fetch b") == 1
    assert lines.count("train a") + lines.count("train b") == 3  # the one that was killed twice, the other once
    assert (coordinator / "metrics/summary.csv").read_text() == "dataset,score\na,aaa\nb,bbb\n"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stage_on_a_worker_ends_with_its_run(site: Site, how: signal.Signals) -> None:
    script, patience = site.origin / "stages/train.py", site.folder / "patience"
    wait = f"import pathlib, time\nwhile pathlib.Path({str(patience)!r}).exists(): time.sleep(0.1)\n"
    head, _, tail = script.read_text().partition("print(f")
    script.write_text(f"{head}{wait}print(f{tail}")
    small.commit(site.origin, site.environment)
    patience.touch()
    coordinator = site.clone("coordinator")
    worker = psutil.Process(site.worker("worker").pid)
    flow = site.start(coordinator, "flows.pipeline", "--scheduler", site.address)
    deadline = time.monotonic() + 600
    while not (stages := [each for each in worker.children(recursive=True) if "stages.train" in words_of(each)]):
        assert flow.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    flow.send_signal(how)
    _, left = psutil.wait_procs(stages, timeout=60)
    assert not left
    assert flow.wait(60) == (1 if how == signal.SIGTERM else -how)
    assert worker.is_running()
    patience.unlink()
    site.ran()
    again = site.flow(coordinator, "--scheduler", site.address)
    assert again.returncode == 0, again.stderr
    assert site.ran() == ["train a", "train b"]


def test_what_is_not_committed_and_a_missing_scheduler_are_named(site: Site) -> None:
    coordinator = site.clone("coordinator")
    refused = site.flow(coordinator, "--scheduler", "tcp://127.0.0.1:9")
    assert refused.stderr.splitlines()[-1].startswith("error: no Dask scheduler answers at tcp://127.0.0.1:9")
    (coordinator / "params.yaml").write_text("run: {datasets: [a]}\n")
    refused = site.flow(coordinator, "--scheduler", site.address)
    assert refused.stderr.splitlines()[-1].startswith("error: params.yaml: workers have what is committed")


def kept(clone: Path) -> list[Path]:
    """All files, but those of git and DVC and what Python compiles."""
    passing = {".dvc", ".git", "__pycache__"}
    return sorted(path for path in clone.rglob("*") if passing.isdisjoint(path.parts))


def test_an_unreachable_remote_is_one_line_and_changes_nothing(site: Site) -> None:
    clone = site.clone("clone")
    site.environment["PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS"] = "0"
    site.dvc(clone, "remote", "modify", "-q", "--local", "s3", "endpointurl", "http://127.0.0.1:9")
    before = kept(clone)
    ran = site.flow(clone, "--pull")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("error: pull failed with ")
    assert "Traceback" not in ran.stderr
    after = kept(clone)
    assert after == before


def test_a_fresh_clone_pulls_everything(site: Site) -> None:
    made = site.clone("made")
    assert site.flow(made, "--push").returncode == 0
    subprocess.run(["git", "add", "-A"], cwd=made, env=site.environment, check=True)
    subprocess.run(["git", "commit", "-qm", "tables"], cwd=made, env=site.environment, check=True)
    fresh = site.folder / "fresh"
    subprocess.run(["git", "clone", "-q", str(made), str(fresh)], env=site.environment, check=True)
    shutil.rmtree(made)
    site.ran()
    site.dvc(fresh, "pull", "-q")
    assert (fresh / "data/trained/b").read_text() == "bbb"
    site.dvc(fresh, "repro", "-q")
    assert site.ran() == []
    assert httpx.get(f"http://127.0.0.1:{site.s3}/").is_success


SBATCH = """#!/usr/bin/env bash
cp "$1" "$0-$$"
SLURM_JOB_ID=$$ bash "$0-$$" > "$0-$$.log" 2>&1 &
echo "Submitted batch job $$"
"""


def test_workers_are_jobs_of_slurm(site: Site) -> None:
    [script] = blocks("offline.md", "python")
    port, bin_ = free_port(), site.folder / "bin"
    (site.folder / "script.py").write_text(script.replace("8786", str(port)))
    bin_.mkdir()
    (bin_ / "sbatch").write_text(SBATCH)
    (bin_ / "sbatch").chmod(0o755)
    site.environment |= {
        "PATH": f"{bin_}:{site.environment['PATH']}",
        "REPOSITORY": str(site.origin),
        "TMPDIR": str(site.folder),
        "JOBS": "2",
    }
    coordinator = site.clone("coordinator")
    site.start(site.folder, "script")
    try:
        site.wait_for(port)
        ran = site.flow(coordinator, "--scheduler", f"tcp://localhost:{port}")
        assert ran.returncode == 0, ran.stderr
        assert site.ran() == ["fetch a", "fetch b", "train a", "train b"]
        assert (coordinator / "metrics/summary.csv").read_text() == "dataset,score\na,aaa\nb,bbb\n"
        assert len(list(site.folder.glob("work-*"))) == 2
    finally:
        for process in ours(site.folder):
            process.kill()

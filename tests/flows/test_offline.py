"""The commands of docs/offline.md and docs/running.md do what the pages say."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from flows.cli import parser
from tests import small
from tests.flows.conftest import blocks

# Needs the network, which is a file here, and takes note of each run.
FETCH = """
import os, sys
if sys.argv[1] != "--check":
    open(os.environ["NETWORK"])
"""
TRAIN = "import os, sys\nopen(os.environ['RAN'], 'a').write(sys.argv[1])\n"
# Takes for ever, unless it has been stopped before.
STOPPABLE = """
import signal, sys, time
from pathlib import Path
def save(*_):
    Path("checkpoint").touch()
    sys.exit("error: stopped; run again")
signal.signal(signal.SIGINT, save)
if sys.argv[1] == "a" and not Path("checkpoint").exists():
    Path("begun").touch()
    time.sleep(600)
"""

# A project that builds itself, since there is nothing to build with; `build_editable` is what pip calls (PEP 660).
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "own"
version = "1"
"""
BACKEND = """
import zipfile
from pathlib import Path
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(Path(folder, "own-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("own.pth", str(Path("src").resolve()))
        wheel.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        wheel.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-1.dist-info/RECORD", "")
    return "own-1-py3-none-any.whl"
"""


def bash(script: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=folder, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", ["running.md", "offline.md", "../README.md"])
def test_every_command_of_the_flow_on_a_page_is_understood(page: str) -> None:
    lines = [line for block in blocks(page) for line in block.splitlines() if "python -m flows.pipeline" in line]
    assert lines or page == "../README.md"
    for line in lines:
        words = shlex.split(line, comments=True)
        parser().parse_args(words[words.index("flows.pipeline") + 1 :])


def test_every_deployment_on_a_page_is_declared(repository: Path) -> None:
    declared = {each["name"] for each in yaml.safe_load((repository / "prefect.yaml").read_text())["deployments"]}
    text = (repository / "docs/running.md").read_text()
    named = set(re.findall(r"--name ([\w-]+)", text)) | set(re.findall(r"pipeline/([\w-]+)", text))
    assert {"nightly", "on-demand", "retrain", "nightly-docker", "nightly-kubernetes"} <= named <= declared


@pytest.mark.slow
def test_a_copied_folder_carries_commits_and_cache_there_and_back(
    project: Path, reproduced: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    copy, _, there, _, back, *_ = blocks("offline.md")
    network, disk, away = tmp_path / "network", tmp_path / "disk", tmp_path / "away"
    settings = environment | {"DISK": str(disk), "NETWORK": str(network), "RAN": str(tmp_path / "ran")}
    for name, code in (("fetch", FETCH), ("train", TRAIN)):
        script = project / f"stages/{name}.py"
        script.write_text(code + script.read_text())
    (project / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    (project / ".gitignore").write_text("/data/\n/.state/\n__pycache__/\n")
    small.commit(project, settings)
    network.touch()
    disk.mkdir()
    away.mkdir()
    bash(copy.replace("preprocess", "fetch"), project, settings)
    network.unlink()
    bash("git checkout --quiet dvc.lock", project, settings)  # the run cache is enough

    bash(there + "git add metrics && git commit -qm metrics && git push -q origin HEAD\n", away, settings)

    bash(back + "dvc repro", project, settings)
    assert (tmp_path / "ran").read_text() in ("ab", "ba")  # each once, over there
    assert (project / "metrics/summary.csv").read_bytes() == (reproduced / "metrics/summary.csv").read_bytes()
    assert (project / "data/trained/a").read_text() == "aaa"


@pytest.mark.slow
def test_packages_come_from_a_folder_of_wheels(tmp_path: Path) -> None:
    _, download, _, install, *_ = blocks("offline.md")
    index, disk = tmp_path / "index", tmp_path / "disk"
    for folder in (index, disk):
        folder.mkdir()
    with zipfile.ZipFile(index / "tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    (tmp_path / "requirements.lock").write_text("tiny==1\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/own.py").touch()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"PATH": path, "DISK": str(disk), "HOME": str(tmp_path), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    bash(download, tmp_path, settings | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)})
    bash(install + "python -c 'import tiny, own'", tmp_path, settings)


@pytest.mark.slow
def test_a_job_that_slurm_ends_goes_on_where_it_was(project: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    [job] = [block for block in blocks("offline.md") if block.startswith("#!")]
    script = tmp_path / "job.sh"
    script.write_text(job)
    train = project / "stages/train.py"
    train.write_text(STOPPABLE + train.read_text())
    first = subprocess.Popen(["bash", str(script)], cwd=project, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not (project / "begun").exists():
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)  # as Slurm does, by --signal=B:TERM
    assert first.communicate(timeout=120)[1].endswith("error: interrupted; run again to go on from here\n")
    assert (project / "checkpoint").exists()
    bash(script.read_text(), project, environment)
    assert (project / "metrics/summary.csv").read_text() == "dataset,score\na,aaa\nb,bbb\n"


@pytest.mark.slow
def test_a_model_has_versions_and_stages(tmp_path: Path, finished: Path, settings: dict[str, str]) -> None:
    [commands] = [block for block in blocks("running.md") if "gto register" in block]
    with (finished / "dvc.yaml").open("a") as file:
        file.write("artifacts:\n  nuclei-multiresunet: {path: data/trained/a, type: model}\n")
    small.commit(finished, settings)
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], env=settings, check=True)
    subprocess.run(["git", "remote", "add", "origin", str(remote)], cwd=finished, env=settings, check=True)
    bash(commands.replace("https://…", "."), finished, settings)
    assert (finished / "model").read_text() == "aaa"
    tags = subprocess.check_output(["git", "tag"], cwd=remote, text=True).split()
    assert sorted(tags) == ["nuclei-multiresunet#production#1", "nuclei-multiresunet@v1.0.0"]

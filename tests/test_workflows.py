"""The workflows' steps, run on this machine as the runner would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import make
from tests import small

FORK = "github.event.pull_request.head.repo.full_name == github.repository"
PICTURES = "https://example.org/somebody/project/blob/pull-request-pictures"


BASE = "github.event.pull_request.base.sha"
VALUES = {
    "contains(github.event.pull_request.labels.*.name, 'metrics-change-is-meant')": "false",
    "github.event.pull_request.number": "12",
    "github.server_url": "https://example.org",
    "github.repository": "somebody/project",
    "github.token": "",
    "secrets.AWS_ACCESS_KEY_ID": "",
    "secrets.AWS_SECRET_ACCESS_KEY": "",
}
# GitHub's command line, without GitHub: keeps what it is called with, and the comment.
GH = """
echo "$*" >> "$GH_FOLDER/calls"
case "$*" in *--paginate*) if [ -e "$GH_FOLDER/comment" ]; then echo 7; fi ;; esac
for word; do
  case "$word" in body=@*) cp "${word#body=@}" "$GH_FOLDER/comment" ;; esac
done
"""
# A runner's Python; make.py finds its work done, and pip only notes its words, since the tests have no package index.
PYTHON = f"""
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; ln -s "$GH_FOLDER/bin/sudo" "$3/bin/pip"; exit; fi
if [ "$1" = make.py ] && [ ! -e .venv ]; then cp -r ../installation .venv; fi
exec "{sys.executable}" "$@"
"""


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps with commands of all of a workflow's jobs."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"] if "run" in step]


def run(path: Path, values: dict[str, str], env: dict[str, str]) -> tuple[str, str]:
    """Run a workflow's commands in the checkout that it lies in, one after the other, up to the first that fails.

    Args:
        path: the workflow
        values: what expressions stand for
        env: the environment

    Returns:
        Name of the step that failed, if one did, and all output.
    """
    folder, said = path.parents[2], ""
    for step in steps(path):
        assert step.get("if", FORK) == FORK
        assert "${{" not in step["run"], "a title or a branch's name would be run as code; pass it in env"
        own = {
            name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: values[found[1]], text)
            for name, text in step.get("env", {}).items()
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command, cwd=folder, env={**env, **own}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said += done.stdout
        if done.returncode:
            return step.get("name", step["run"]), said
    return "", said


def script(path: Path, text: str) -> None:
    """Write an executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def prepare(folder: Path, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write into a folder what a checkout has, and beside it the .venv that make.py is to find once it is called.

    Args:
        folder: of the checkout
        python: body of the script that is its .venv's Python
        monkeypatch: pytest's
    """
    for path in (make.PROJECT, make.LOCK, make.VERSION, make.ROOT / "make.py"):
        copy = folder / path.relative_to(make.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copytree(make.ROOT / ".github", folder / ".github", dirs_exist_ok=True)
    venv = folder.parent / "installation"
    script(venv / "bin/python", python)
    for module in ("dvc", "multiresunet"):
        script(venv / f"bin/{module}", f'exec "$(dirname "$0")/python" -P -m {module} "$@"')
    with monkeypatch.context() as patch:
        patch.setattr(make, "ROOT", folder)  # the other paths' files are the same
        (venv / "installed").write_text(make.wanted())


def runner(folder: Path) -> dict[str, str]:
    """The environment of a runner, whose programs and state are in a folder."""
    script(folder / "bin/gh", GH)
    script(folder / "bin/python", PYTHON)
    script(folder / "bin/sudo", 'echo "$@" >> "$GH_FOLDER/installed"')
    settings = small.settings(folder)
    path = os.pathsep.join([str(folder / "bin"), settings["PATH"]])
    return {**settings, "PATH": path, "GH_FOLDER": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary")}


def test_scripts_are_there_and_used_and_call_what_an_installation_has(repository: Path) -> None:
    folder = repository / ".github/scripts"
    named = set()
    for path in (repository / ".github/workflows").glob("*.yml"):
        named |= {name for step in steps(path) for name in re.findall(r"\.github/scripts/(\S+)", step["run"])}
    assert named == {path.name for path in folder.iterdir()}
    commands = {"dvc", "python", *tomllib.loads(make.PROJECT.read_text())["project"]["scripts"]}
    for path in folder.iterdir():
        subprocess.run(["bash", "-n", path], check=True)
        assert set(re.findall(r"\.venv/bin/(\w+)", path.read_text())) <= commands
        assert not re.findall(r'(?<!\+)"\$\{\w+\[@\]', path.read_text()), "bash 3.2 calls an empty array unset"


def test_the_tests_run_the_checks_and_all_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    prepare(project, 'echo "$@" >> ../called', monkeypatch)
    values = {"runner.temp": str(tmp_path)}
    failed, output = run(project / ".github/workflows/tests.yml", values, runner(tmp_path))
    assert not failed, output
    called = (tmp_path / "called").read_text().splitlines()
    checks, [tests] = make.COMMANDS["check"], make.COMMANDS["test"]
    assert called == [*(f"-m {words}" for words in checks), f"-m {tests}", f"-m {tests} -m slow"]
    assert "install --quiet bioimageio.core" in (tmp_path / "installed").read_text()


def test_a_pull_request_goes_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    prepare(project, 'echo "$@" >> ../called', monkeypatch)
    failed, output = run(project / ".github/workflows/metrics.yml", VALUES | {BASE: "123abc"}, runner(tmp_path))
    assert not failed, output
    wanted = ["dvc config core.remote", "multiresunet verify HEAD", "multiresunet diff 123abc HEAD --output"]
    wanted = [f"-P -m {words}" for words in wanted]
    called = (tmp_path / "called").read_text().splitlines()
    assert [line[: len(begin)] for line, begin in zip(called, wanted, strict=True)] == wanted
    assert (tmp_path / "comment").read_text() == (tmp_path / "summary").read_text()


def test_a_pull_request_is_compared_with_the_commit_that_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, env = tmp_path / "project", runner(tmp_path)
    prepare(project, 'echo "$@" >> ../called', monkeypatch)
    shutil.move(tmp_path / "installation", project / ".venv")

    def git(*words: str) -> str:
        return subprocess.check_output(["git", *words], cwd=project, env=env, text=True).strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "left here")
    left = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "main goes on")
    git("checkout", "-q", "-b", "request", left)
    git("commit", "-q", "--allow-empty", "-m", "its own")
    subprocess.run(["bash", ".github/scripts/compare.sh", "main", "false"], cwd=project, env=env, check=True)
    assert f"multiresunet diff {left} HEAD" in (tmp_path / "called").read_text()


@pytest.mark.parametrize("words", ["", "Traceback …\nerror: a table is missing"])
def test_a_command_that_fails_fails_the_check_even_without_a_word(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = f'case "$*" in "-P -m dvc"*) ;; *) printf "%s" "{words}" >&2; exit 137 ;; esac'
    prepare(tmp_path / "project", python, monkeypatch)
    workflow = tmp_path / "project/.github/workflows/metrics.yml"
    failed, output = run(workflow, VALUES | {BASE: "123abc"}, runner(tmp_path))
    assert failed == "The verdict", output
    silent = ["multiresunet verify ended without a word", "multiresunet diff ended without a word"]
    wanted = ["a table is missing"] * 2 if words else silent
    assert output.splitlines()[-2:] == [f"::error::{line}" for line in wanted]


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A small project with its workflows, whose stages have run, as a bare repository with a DVC remote.

    Parametrized with False, it has numbers that depend on the CPU ($ROUNDING), and the remote is empty.
    """
    settings = small.settings(tmp_path)
    project = small.create(tmp_path / "project", settings)
    has_cache = getattr(request, "param", True)
    if not has_cache:
        settings["ROUNDING"] = "0"
        (project / "stages/train.py").write_text(small.TRAIN_ON_ANY_CPU)
        with (project / "params.yaml").open("a") as file:
            file.write("verify: {tolerances: {'*.score': 0.01}}\n")
    (project / ".gitignore").write_text("/data/\n/.state/\n/.venv\n__pycache__/\n")
    prepare(project, f'exec "{sys.executable}" "$@"', monkeypatch)
    dvc(project, settings, "remote", "add", "--default", "store", str(tmp_path / "store"))
    dvc(project, settings, "repro", "-q")
    if has_cache:
        dvc(project, settings, "push", "-q", "--run-cache")
    small.commit(project, settings)
    subprocess.run(["git", "clone", "-q", "--bare", str(project), str(tmp_path / "origin")], env=settings, check=True)
    return tmp_path / "origin"


def dvc(folder: Path, settings: dict[str, str], *words: str) -> None:
    """Run a DVC command."""
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, env=settings, check=True)


class PullRequest:
    """Of a bare repository's last commit; each run has a clone of its own, as it has at GitHub."""

    def __init__(self, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take a place beside the bare repository."""
        self._origin, self._monkeypatch = origin, monkeypatch
        self._env = runner(origin.parent)

    def checkout(self) -> Path:
        """What the workflow's actions leave: a clone, and Python."""
        clone = self._origin.with_name("clone")
        shutil.rmtree(clone, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", str(self._origin), str(clone)], env=self._env, check=True)
        prepare(clone, f'exec "{sys.executable}" "$@"', self._monkeypatch)
        return clone

    def commit(self, name: str, text: str) -> None:
        """Commit a file to main."""
        clone = self.checkout()
        (clone / name).write_text(text)
        small.commit(clone, self._env)
        subprocess.run(["git", "push", "-q"], cwd=clone, env=self._env, check=True)

    def check(self) -> tuple[str, str]:
        """Run the workflow; the name of the step that failed, and all output."""
        clone = self.checkout()
        base = subprocess.check_output(["git", "rev-parse", "HEAD~1"], cwd=clone, env=self._env, text=True).strip()
        return run(clone / ".github/workflows/metrics.yml", VALUES | {BASE: base}, self._env)


@pytest.mark.slow
def test_a_pull_request_is_green_until_a_table_is_edited(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = PullRequest(origin, monkeypatch)
    request.commit("README.md", "Something else.\n")
    failed, output = request.check()
    assert not failed, output
    comment = (origin.parent / "comment").read_text()
    assert comment.startswith("<!-- multiresunet metrics -->\n## ")
    assert "<summary>Tables made again: same bytes</summary>" in comment
    assert (origin.parent / "summary").read_text() == comment
    log = (origin.parent / "clone/.state/pull-request/verify.log").read_text()
    assert "training on" not in log, "the cache was not pulled"

    request.commit("metrics/summary.csv", "dataset,score\na,aab\nb,bbb\n")
    failed, output = request.check()
    assert failed == "The verdict", output
    assert "::error::different: metrics/summary.csv: edited, since dvc.lock records another one" in output
    assert "<summary>Tables made again: different: metrics/summary.csv: " in (origin.parent / "comment").read_text()
    methods = re.findall(r"--method (\w+) (\S+)", (origin.parent / "calls").read_text())
    assert methods == [
        ("POST", "repos/{owner}/{repo}/issues/12/comments"),
        ("PATCH", "repos/{owner}/{repo}/issues/comments/7"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("origin", [False], indirect=True)
def test_a_runner_of_another_cpu_is_green_until_a_number_is_edited(
    origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDING", "0.0040")
    request = PullRequest(origin, monkeypatch)
    request.commit("README.md", "Something else.\n")
    failed, output = request.check()
    assert not failed, output
    comment = (origin.parent / "comment").read_text()
    assert "Tables made again: same within tolerance (largest 0.004: summary, a, score)" in comment
    assert "| summary, a, score | 0.5 | 0.504 | 0.004 | 0.01 |" in comment
    assert "training on" in (origin.parent / "clone/.state/pull-request/verify.log").read_text()

    request.commit("metrics/summary.csv", "dataset,score\na,0.5000\nb,0.4950\n")
    failed, output = request.check()
    assert failed == "The verdict", output
    assert "::error::different: metrics/summary.csv: edited, since dvc.lock records another one" in output


@pytest.mark.slow
def test_pictures_go_to_a_branch_of_their_own(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = PullRequest(origin, monkeypatch).checkout()
    env, out = small.settings(origin.parent), clone / ".state/pull-request"
    out.mkdir(parents=True)
    for number, content in enumerate((b"one", b"two"), 1):
        (out / "diff.png").write_bytes(content)
        (out / "comment.md").write_text("## Tables\n\n- a verdict\n\nDetail.\n")
        command = ["bash", ".github/scripts/keep_picture.sh", "12", PICTURES]
        subprocess.run(command, cwd=clone, env=env, check=True)
        listing = ["git", "ls-tree", "--name-only", "pull-request-pictures"]
        names = subprocess.check_output(listing, cwd=origin, env=env, text=True).split()
        assert len(names) == number
        link = re.search(r"- a verdict\n\n!\[.+\]\((.+)/(.+)\?raw=true\)\n\nDetail", (out / "comment.md").read_text())
        assert link and (link[1], link[2] in names) == (PICTURES, True)

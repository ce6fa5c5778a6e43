"""The flow runs what `dvc repro` would, beside a small DVC project with stages of a few milliseconds."""

from __future__ import annotations

import csv
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from flows.display import Display
from flows.graph import affected, behind
from tests import small
from tests.disks import complaint, every_disk, mounted, run_on
from tests.flows.conftest import Flow
from tests.flows.making import artifacts, tasks

CHECK = "fetch --check"
STAGES = ["fetch@a", "fetch@b", "train@a", "train@b", "report"]


def run(project: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.pipeline", *words]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=400)


def prepend(script: Path, code: str) -> None:
    script.write_text(code + script.read_text())


def test_it_runs_what_dvc_repro_runs(project: Path, reproduced: Path, environment: dict[str, str], flow: Flow) -> None:
    ran = flow(project)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "Tables: made; there is no commit to compare them with.\n"
    ended = tasks(ran.stderr)
    assert sorted(ended) == sorted((name, "Completed") for name in STAGES)
    place = {name: index for index, (name, _) in enumerate(ended)}
    for first, then in (("fetch@a", "train@a"), ("fetch@b", "train@b"), ("train@b", "report")):
        assert place[first] < place[then]
    assert "Task run 'train@b' - training on b" in ran.stderr
    for name in ("dvc.lock", "metrics/summary.csv"):
        assert (project / name).read_bytes() == (reproduced / name).read_bytes()
    shown = artifacts(environment)
    assert shown.keys() >= {"summary", "metric-diff", "progress-train-a", "progress-train-b"}
    with (project / "metrics/summary.csv").open(newline="") as file:
        assert shown["summary"] == str(list(csv.DictReader(file))).replace("'", '"')
    assert shown["progress-train-a"] == 100


def test_targets_run_with_what_they_need_alone(project: Path, flow: Flow) -> None:
    ran = flow(project, "train@a")
    assert ran.returncode == 0, ran.stderr
    assert [name for name, _ in tasks(ran.stderr)] == ["fetch@a", "train@a"]
    assert "Tables:" not in ran.stdout + ran.stderr  # the tables weren't asked for
    assert flow(project, "nothing").stderr.startswith("error: 'nothing' is no stage of dvc.yaml")


def test_nothing_runs_when_all_is_fresh(finished: Path, environment: dict[str, str], flow: Flow) -> None:
    ran = flow(finished)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "Tables: made; there is no commit to compare them with.\n"
    assert tasks(ran.stderr) == []
    prepend(finished / "stages/fetch.py", "import sys\nif '--check' in sys.argv: sys.exit('error: a changed')\n")
    with (finished / "dvc.yaml").open("r+") as file:  # so that the edit itself makes nothing stale
        text = file.read().replace("deps: [stages/fetch.py]", "deps: [stages/__init__.py]")
        file.seek(0)
        file.write(text)
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-q", "-f"], cwd=finished, env=environment, check=True)
    ran = flow(finished)
    assert (ran.returncode, ran.stderr.splitlines()[-1]) == (1, "error: a changed")


def test_the_command_imports_nothing_slow_before_it_knows_what_is_stale() -> None:
    code = "import sys, flows.cli; print(*{'prefect', 'pandas', 'scipy', 'torch'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=small.ROOT) == "\n"


def test_a_stage_whose_inputs_come_out_the_same_does_not_run(finished: Path, flow: Flow) -> None:
    prepend(finished / "stages/fetch.py", "# edited\n")
    (finished / "data/raw/b").unlink()  # so train@b is stale too until fetch@b has run
    ran = flow(finished)
    assert ran.returncode == 0, ran.stderr
    skipped = [(name, "Skipped") for name in ("report", "train@a", "train@b")]
    assert sorted(tasks(ran.stderr)) == sorted([("fetch@a", "Completed"), ("fetch@b", "Completed"), *skipped])
    assert "training on" not in ran.stderr


# Once train@a has begun, which may end.
FAILS_LATE = """
import os, sys, time
if sys.argv[1] == "a":
    open("begun", "w").close()
else:
    while not os.path.exists("begun"):
        time.sleep(0.05)
    sys.exit("error: b is empty")
"""


def test_a_failed_stage_ends_the_run_with_its_own_words(project: Path, flow: Flow) -> None:
    prepend(project / "stages/train.py", FAILS_LATE)
    ran = flow(project)
    assert ran.returncode == 1
    assert ran.stdout == ""
    log = ".state/logs/train@b.log"
    assert ran.stderr.splitlines()[-1] == f"error: train@b failed with error: b is empty (its log: {log})"
    assert "error: b is empty" in (project / log).read_text().splitlines()
    assert re.search(r"Flow run .* Finished in state Failed\(.*train@b failed with error: b is empty", ran.stderr)
    assert "Traceback" not in ran.stderr
    ended = tasks(ran.stderr)
    assert {("train@a", "Completed"), ("train@b", "Failed")} <= set(ended)
    assert [state for name, state in ended if name.startswith("report")] == ["NotReady"]
    assert ran.stderr.count("> python -m stages.train b") == 1  # no second try
    assert (project / "data/trained/a").read_text() == "aaa"
    assert "train@a:" in (project / "dvc.lock").read_text()


@pytest.mark.slow
def test_an_exception_in_a_stage_is_one_line(project: Path, flow: Flow) -> None:
    prepend(project / "stages/fetch.py", "import sys\nif sys.argv[1] == 'b': raise ValueError('no b')\n")
    ran = flow(project, "fetch@b")
    last = "error: fetch@b failed with ValueError: no b (its log: .state/logs/fetch@b.log)"
    assert (ran.returncode, ran.stderr.splitlines()[-1]) == (1, last)


@pytest.mark.slow
def test_after_a_failure_nothing_begins_and_the_first_is_named(project: Path, flow: Flow) -> None:
    prepend(project / "stages/fetch.py", "import sys\nif sys.argv[1] != '--check': sys.exit('error: nothing there')\n")
    ran = flow(project, "--cores", "1")
    assert ran.stderr.count("> python -m stages.fetch") == 1
    ended = dict(tasks(ran.stderr))
    [failed] = [name for name, state in ended.items() if state == "Failed"]
    assert ran.stderr.splitlines()[-1].startswith(f"error: {failed} failed with error: nothing there (its log: ")
    [other] = {"fetch@a", "fetch@b"} - {failed}
    assert ended[other] == "Cancelled"
    assert {state for name, state in ended.items() if name.startswith(("train@", "report"))} == {"NotReady"}


@pytest.mark.slow
def test_of_two_failures_the_first_is_the_runs(project: Path, flow: Flow) -> None:
    late = """
import os, sys, time
while sys.argv[1] == "a" and not os.path.exists("failed"):
    time.sleep(0.05)
if sys.argv[1] == "a":
    time.sleep(4)  # in which the flow hears of b's end
if sys.argv[1] == "b":
    open("failed", "w").close()
"""
    fail = "if sys.argv[1] != '--check': sys.exit('error: no ' + sys.argv[1])\n"
    prepend(project / "stages/fetch.py", late + fail)
    ran = flow(project, "--cores", "2")
    assert ran.stderr.splitlines()[-1].startswith("error: fetch@b failed with error: no b (its log: ")
    assert {state for name, state in tasks(ran.stderr) if name.startswith("fetch@")} == {"Failed"}


@pytest.mark.slow
def test_fetch_is_tried_four_times(project: Path, flow: Flow) -> None:
    fail_thrice = """
import sys
if sys.argv[1] == "a":
    with open("tries", "a+") as tries:
        tries.write("x")
        tries.seek(0)
        if len(tries.read()) < 4:
            sys.exit("error: http://a can't be downloaded")
"""
    prepend(project / "stages/fetch.py", fail_thrice)
    ran = flow(project)
    assert ran.returncode == 0, ran.stderr
    assert len(re.findall(r"a can't be downloaded.*\) - Retry", ran.stderr)) == 3
    assert (project / "tries").read_text() == "xxxx"


def test_changed_folders_end_the_run_before_any_stage(project: Path, environment: dict[str, str], flow: Flow) -> None:
    prepend(project / "stages/fetch.py", "import sys\nif '--check' in sys.argv: sys.exit('error: a changed')\n")
    ran = flow(project)
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == ["error: a changed"], "before Prefect is loaded"
    small.commit(project, environment)
    ran = flow(project, "--commit", "main")  # elsewhere, so that the flow itself has to look
    assert ran.stderr.splitlines()[-1] == "error: fetch --check failed with error: a changed"
    assert tasks(ran.stderr) == [(CHECK, "Failed")]


@pytest.mark.slow
def test_a_stage_whose_process_is_killed_begins_again(project: Path, flow: Flow) -> None:
    kill = """
import os, signal, sys
if sys.argv[1] == "a":
    with open("tries", "a+") as tries:
        tries.write("x")
        tries.seek(0)
        if len(tries.read()) < TRIES:
            tries.flush()
            os.kill(os.getpid(), signal.SIGKILL)
"""
    prepend(project / "stages/fetch.py", kill.replace("TRIES", "3"))
    ran = flow(project, "fetch@a")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("fetch@a was killed (by somebody, or for want of memory)") == 2
    assert (project / "tries").read_text() == "xxx"
    (project / "data/raw/a").unlink()
    (project / "stages/fetch.py").write_text((project / "stages/fetch.py").read_text().replace("< 3", "< 99"))
    ran = flow(project, "fetch@a")
    assert ran.stderr.splitlines()[-1].startswith(
        "error: fetch@a was killed (by somebody, or for want of memory) (its log"
    )
    assert (project / "tries").read_text() == "x" * 6


@pytest.mark.slow
def test_dvc_repro_by_hand_is_waited_for(project: Path, environment: dict[str, str]) -> None:
    wait = "import os, sys, time\nwhile sys.argv[1] == 'a' and os.path.exists('patience'): time.sleep(0.05)\n"
    prepend(project / "stages/fetch.py", wait)
    (project / "patience").touch()
    command = [sys.executable, "-m", "dvc", "repro", "fetch@a"]
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) as hand:
        assert hand.stdout
        assert any("> python -m stages.fetch a" in line for line in hand.stdout)
        words = [sys.executable, "-m", "flows.pipeline", "train@a"]
        with subprocess.Popen(words, cwd=project, env=environment, stderr=subprocess.PIPE, text=True) as flow:
            assert flow.stderr
            waited = any("dvc repro fetch@a` (process" in line for line in flow.stderr)
            (project / "patience").unlink()
            assert waited
            said = flow.communicate(timeout=400)[1]
        assert flow.returncode == 0, said
        hand.communicate()
    assert hand.returncode == 0


@pytest.mark.slow
def test_without_git_the_run_goes_on(project: Path, environment: dict[str, str], flow: Flow) -> None:
    shutil.rmtree(project / ".git")
    ran = flow(project)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("This folder has no git repository; the run goes on, and its tables name no commit") == 1
    assert (project / "metrics/summary.csv").exists()
    subprocess.run(["git", "init", "-q"], cwd=project, env=environment, check=True)
    assert flow(project).returncode == 0
    assert "no_scm" not in (project / ".dvc/config.local").read_text()


@pytest.mark.slow
def test_a_home_that_cannot_be_written_and_a_terminal_without_unicode(project: Path, settings: dict[str, str]) -> None:
    prepend(project / "stages/train.py", "print('1 → 2')\n")
    settings = {name: value for name, value in settings.items() if name != "PREFECT_HOME"}
    ran = run(project, settings | {"HOME": "/proc/nobody", "PYTHONIOENCODING": "latin-1"}, "train@a")
    assert ran.returncode == 0, ran.stderr
    assert "training on a" in ran.stderr
    assert (project / ".state/prefect").is_dir()


@pytest.mark.parametrize(
    ("number", "told"), [(errno.EROFS, "flow.lock: nothing can be written"), (errno.ENOSPC, "the disk is full")]
)
def test_a_folder_that_takes_no_more_is_one_line(
    finished: Path, environment: dict[str, str], tmp_path: Path, number: int, told: str
) -> None:
    # As root, tests may write everywhere; so Python itself refuses.
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(
        "import io, pathlib\nplain = pathlib.Path.open\n"
        "def refuse(self, *words, **more):\n"
        "    if self.name == 'flow.lock':\n"
        f"        raise OSError({number}, 'no', str(self))\n"
        "    return plain(self, *words, **more)\npathlib.Path.open = refuse\n"
    )
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    ran = run(finished, environment | {"PYTHONPATH": path})
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error: ")
    assert told in ran.stderr


@mounted
@every_disk
def test_a_disk_that_takes_nothing_is_one_line(
    project: Path, environment: dict[str, str], disk: str, told: str
) -> None:
    done = run_on(disk, project, [sys.executable, "-m", "flows.pipeline"], environment)
    assert told in complaint(done)


@mounted
@every_disk
def test_a_disk_that_takes_nothing_holds_all_of_its_user(
    project: Path, settings: dict[str, str], disk: str, told: str
) -> None:
    own = {"HOME": str(project), "TMPDIR": str(project), "DVC_SITE_CACHE_DIR": str(project / "dvc")}
    settings = {name: value for name, value in settings.items() if name != "PREFECT_HOME"}
    done = run_on(disk, project, [sys.executable, "-m", "flows.pipeline"], settings | own)
    assert told in complaint(done)


@pytest.mark.slow
def test_what_changes_during_the_run_is_not_passed_over(project: Path, flow: Flow) -> None:
    prepend(project / "stages/report.py", "open('stages/train.py', 'a').write('# edited meanwhile')\n")
    ran = flow(project)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("error: DVC calls train@a, train@b stale after the run")


@pytest.fixture
def sleeper(project: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A flow with a server of its own and a stage that never ends, in a process group like a terminal's."""
    prepend(project / "stages/fetch.py", "import sys, time\nprint('zzz')\ntime.sleep(600 * (sys.argv[1] == 'a'))\n")
    flow = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline"],
        cwd=project,
        env=settings,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & ignores it
    )
    yield flow
    flow.kill()
    flow.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_a_killed_run_leaves_no_process(sleeper: subprocess.Popen[str], how: str) -> None:
    assert sleeper.stderr
    assert any("Task run 'fetch@a' - zzz" in line for line in sleeper.stderr)
    children = psutil.Process(sleeper.pid).children(recursive=True)
    try:
        assert {"flows.dvc_worker", "flows.ephemeral"} <= {word for child in children for word in child.cmdline()}
        if how == "SIGTERM":
            sleeper.terminate()
        else:
            os.killpg(sleeper.pid, signal.SIGINT)  # a terminal sends it to the server as well
        log = sleeper.communicate(timeout=400)[1]

        assert sleeper.returncode == 1
        assert log.splitlines()[-1] == "error: interrupted; run again to go on from here"
        assert ("fetch@a", "Completed") not in tasks(log)
        assert "fetch@a" in dict(tasks(log))
        _, left = psutil.wait_procs(children, timeout=120)
        assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
    finally:
        for child in psutil.wait_procs(children, timeout=0)[1]:
            child.kill()


@pytest.mark.slow
def test_it_says_what_is_missing(project: Path, settings: dict[str, str]) -> None:
    nowhere = run(project, settings | {"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    assert nowhere.returncode == 1
    assert nowhere.stderr.startswith("error: no Prefect server answers at http://127.0.0.1:9/api")


NEEDS = {"a": set[str](), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "z": set[str]()}


@pytest.mark.parametrize(
    ("stale", "found"),
    [
        (set(), {}),
        ({"a"}, {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}),
        ({"c", "z"}, {"c": set(), "d": {"c"}, "z": set()}),
        ({"d"}, {"d": set()}),
    ],
)
def test_affected_are_stale_stages_and_those_that_need_them(stale: set[str], found: dict[str, set[str]]) -> None:
    seen = affected(NEEDS, NEEDS, stale)
    assert seen == found
    assert all(list(seen).index(first) < list(seen).index(name) for name, needs in seen.items() for first in needs)


def test_what_needs_a_stage_that_was_made_meanwhile_is_looked_at() -> None:
    from flows.stage import Outcome, Run, run_stage  # Prefect, which most of these tests run in another process

    class Made:
        """Whatever is asked for is up to date by now."""

        def prepare(self, planned: int) -> None: ...

        def run(self, name: str, run: Run) -> Outcome:
            asked.append(name)
            return Outcome.UP_TO_DATE

    asked = list[str]()
    run: Any = SimpleNamespace(executor=Made(), failure=None, display=Display())
    upstream: Any = run_stage.fn(run, "fetch", stale=True, upstream=[])
    state: Any = run_stage.fn(run, "train", stale=False, upstream=[upstream.data])
    assert asked == ["fetch", "train"]
    assert state.name == "Skipped"
    run_stage.fn(run, "report", stale=False, upstream=[state.data])
    assert asked == ["fetch", "train"]  # nothing before it may have changed


def test_the_longest_chain_behind_a_stage_counts() -> None:
    assert behind(NEEDS | {"e": {"d", "z"}}) == {"a": 3, "b": 2, "c": 2, "d": 1, "z": 1, "e": 0}


def test_affected_are_none_but_the_runs_stages() -> None:
    assert affected(NEEDS, {"a", "b"}, {"a"}) == {"a": set(), "b": {"a"}}

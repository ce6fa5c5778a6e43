"""`multiresunet verify` beside a small DVC project: each kind of change is found, by the file's name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from multiresunet import arithmetic, config
from multiresunet.cli.verify import verify
from multiresunet.data import readers
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.review.verify import EXACT, UNKNOWN, How, changed_folders, judged, of_commit, of_workspace
from multiresunet.review.worktree import worktree
from tests import small


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return small.settings(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> Path:
    folder = small.create(tmp_path_factory.mktemp("template"), settings)
    script = folder / "stages/train.py"  # so that a parameter changes the tables
    script.write_text(script.read_text().replace("* 3", "* yaml.safe_load(open('params.yaml'))['seed']"))
    script.write_text("import yaml\n" + script.read_text())
    (folder / "params.yaml").write_text(small.parameters(seed=3))
    path = folder / "dvc.yaml"
    # A folder for each data set, as in the real pipeline.
    path.write_text(path.read_text().replace("python -m stages.train", "echo >> log; python -m stages.train"))
    path.write_text(path.read_text().replace("deps: [stages/train.py", "params: [seed]\n    deps: [stages/train.py"))
    script = folder / "stages/fetch.py"
    text = script.read_text().replace('Path("data/raw").mkdir', 'Path("data/raw", sys.argv[1]).mkdir')
    script.write_text(text.replace("sys.argv[1]).write_text", "sys.argv[1], 'image').write_text"))
    script = folder / "stages/train.py"
    script.write_text(script.read_text().replace('Path("data/raw", name)', 'Path("data/raw", name, "image")'))
    (folder / ".gitignore").write_text("/data/\n/log\n__pycache__/\n")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=folder, env=settings, check=True)
    small.commit(folder, settings)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit whose tables are its own, in which all stages have run."""
    folder = Path(shutil.copytree(template, tmp_path / "project"))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_commit_that_made_its_tables_passes_and_trains_nothing(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verify()
    out, err = capfd.readouterr()
    assert out == f"- made in portable arithmetic, with 1 thread, on {arithmetic.cpu()}\n\nsame bytes\n"
    assert "> echo" not in err
    assert "> python -m stages.report" in err
    assert subprocess.check_output(["git", "worktree", "list"]).count(b"\n") == 1


def test_a_hand_edited_table_is_named(
    project: Path, settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    replace(project / "metrics/summary.csv", "aaa", "aaaa")
    assert of_workspace() == ["metrics/summary.csv: differs from the commit"]
    # Even if the forger has thought of dvc.lock.
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-fq"], check=True)
    small.commit(project, settings)
    assert of_workspace() == []
    with pytest.raises(UserError, match=r"^different: metrics/summary.csv, a, score: aaaa in git, aaa made;"):
        verify("main")
    assert "| summary, a, score | aaaa | aaa |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_hand_edited_params_yaml_is_named_with_its_key(project: Path, settings: dict[str, str]) -> None:
    replace(project / "params.yaml", "seed: 3", "seed: 4")
    assert of_workspace() == ["params.yaml: differs from the commit"]
    small.commit(project, settings)
    found = of_commit("HEAD")
    assert found.findings == ["params.yaml: seed isn't what dvc.lock was made with"]
    assert "metrics/summary.csv, a, score: aaa in git, aaaa made" in found.wrong


@pytest.mark.slow
def test_a_changed_data_file_is_named(project: Path) -> None:
    image = project / "data/raw/b/image"
    before = image.stat()
    image.chmod(0o644)
    image.write_text("B")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    (project / "data/raw/a/more").touch()
    assert of_workspace() == ["data/raw/a/more: is one too many, by dvc.lock", "data/raw/b/image: changed, by dvc.lock"]
    assert of_commit("HEAD").is_same


def test_a_changed_file_of_a_users_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(folder.ENVIRONMENT, str(tmp_path))
    for role in ("images", "masks"):
        (tmp_path / "own" / role).mkdir(parents=True)
        readers.write_image(tmp_path / "own" / role / "one.png", np.zeros((8, 8), dtype=np.uint8))
    digest = folder.digest(folder.scan(tmp_path / "own"))
    tree = yaml.safe_load((small.ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["datasets"]["own"] = tree["datasets"]["nuclei"] | {
        "source": {"kind": "folder", "path": "own", "digest": digest}
    }
    tree["run"] |= {"datasets": ["own"], "tuned": {"datasets": [], "models": []}}
    loaded = config.parse(tree)
    assert changed_folders(loaded) == []
    readers.write_image(tmp_path / "own/masks/one.png", np.full((8, 8), 255, dtype=np.uint8))
    [line] = changed_folders(loaded)
    assert "one.png" in line
    shutil.rmtree(tmp_path / "own")
    assert changed_folders(loaded) == []


@pytest.mark.slow
def test_a_changed_file_in_the_cache_is_named(project: Path) -> None:
    [cached] = [path for path in project.glob(".dvc/cache/files/md5/*/*") if path.read_bytes() == b"b"]
    cached.chmod(0o644)
    cached.write_text("B")
    assert "data/raw/b/image: changed, by dvc.lock" in of_commit("HEAD").wrong


@pytest.fixture
def measured(project: Path, settings: dict[str, str]) -> Path:
    """A commit whose tables are numbers, which depend on the machine and on the recipe's threads."""
    (project / "stages/train.py").write_text(small.TRAIN_ON_ANY_CPU)
    replace(project / "dvc.yaml", "params: [seed]", "params: [seed, recipes.quick]")
    tree = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump({**tree, "verify": {"tolerances": {"*.score": 0.01}}}))
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], env={**settings, "ROUNDING": "0"}, check=True)
    small.commit(project, settings)
    return project


@pytest.mark.slow
def test_another_cpu_or_number_of_threads_is_within_tolerance(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROUNDING", "-0.002")
    verify("HEAD", threads=4)
    out = capsys.readouterr().out
    assert "| summary, a, score | 0.5 | 0.504 | 0.004 | 0.01 |" in out
    assert out.splitlines()[-1] == "same within tolerance (largest 0.004: summary, a, score)"
    monkeypatch.setenv("ROUNDING", "0")
    with pytest.raises(UserError, match=r"^different: metrics/summary.csv, a, score: 0.5 in git, 0.518 made"):
        verify("HEAD", threads=10)


@pytest.mark.slow
def test_threads_that_were_edited_are_noted_and_judged_by_tolerance(
    measured: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDING", "0")
    tree = yaml.safe_load((measured / "params.yaml").read_text())
    tree["recipes"]["quick"]["threads"] = 2
    (measured / "params.yaml").write_text(yaml.safe_dump(tree))
    small.commit(measured, settings)
    found = of_commit("HEAD")
    assert found.notes[0] == "params.yaml: recipes.quick.threads isn't what dvc.lock was made with"
    assert found.notes[1].startswith("made in portable arithmetic, with 2 threads, on ")
    assert found.line() == "same within tolerance (largest 0.002: summary, a, score)"


@pytest.mark.slow
def test_where_bytes_are_repeated_nothing_is_tolerated(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDING", "0.002")
    found = of_commit("HEAD", How(from_scratch=True))
    assert found.line().startswith("different: metrics/summary.csv, a, score: 0.5 in git, 0.502 made")
    assert found.notes[-1] == EXACT
    found = of_commit("HEAD", How(from_scratch=True, arithmetic="native"))
    assert found.line() == "same within tolerance (largest 0.002: summary, a, score)"
    assert EXACT not in found.notes


@pytest.mark.parametrize(
    ("text", "exact", "note"),
    [
        (small.parameters(a_section="of another version"), True, "made in portable arithmetic, with 1 thread, on "),
        (small.parameters(recipes={"quick": {"epochs": 1}}), False, UNKNOWN),
        ("- no mapping\n", False, UNKNOWN),
    ],
)
def test_parameters_of_another_version_say_whether_bytes_are_repeated(
    tmp_path: Path, settings: dict[str, str], text: str, exact: bool, note: str
) -> None:
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "dvc.lock").write_text("in git")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=settings, check=True)
    small.commit(tmp_path, settings)
    (tmp_path / "dvc.lock").write_text("made")
    found = judged(tmp_path, [], [])
    assert found.exact == exact
    assert found.passes() != exact
    assert found.notes[0].startswith(note)


@pytest.mark.slow
def test_an_edited_cell_is_different_however_small(
    measured: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDING", "0.001")
    replace(measured / "metrics/summary.csv", "a,0.5000", "a,0.5010")
    small.commit(measured, settings)
    found = of_commit("HEAD", How(from_scratch=True))
    assert found.findings == ["metrics/summary.csv: edited, since dvc.lock records another one"]
    assert not found.passes()


@pytest.fixture
def archive(project: Path, settings: dict[str, str]) -> Path:
    """A run of the commit's code with another seed, as results/ keeps it."""
    replace(project / "params.yaml", "seed: 3", "seed: 4")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], check=True)
    folder = project / "results/run"
    folder.mkdir(parents=True)
    for path in ("params.yaml", "dvc.lock", "metrics/summary.csv"):
        shutil.copy(project / path, folder)
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    (folder / "provenance.json").write_text(json.dumps({"commit": f"{head} with changes in params.yaml"}))
    subprocess.run(["git", "checkout", "-q", "."], check=True)
    small.commit(project, settings)
    return folder.relative_to(project)


def test_an_archived_run_is_made_from_the_commit_and_the_parameters_that_it_names(
    archive: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verify(str(archive))
    out, err = capfd.readouterr()
    assert out.endswith("\n\nsame bytes\n")
    assert "> echo" not in err  # from the cache
    replace(archive / "summary.csv", "aaaa", "aaaaa")
    with pytest.raises(
        UserError, match=r"metrics/summary.csv, a, score: aaaaa in git, aaaa made; restore it from git, or arch"
    ):
        verify(str(archive))
    assert subprocess.check_output(["git", "worktree", "list"]).count(b"\n") == 1


def test_an_archive_that_nobody_can_make_again_says_why(archive: Path) -> None:
    replace(archive / "provenance.json", "params.yaml", "params.yaml, stages/train.py")
    with pytest.raises(UserError, match=r"results/run was made with uncommitted changes in params.yaml, stages/train"):
        verify(str(archive))
    (archive / "provenance.json").write_text('{"commit": "unknown (not in a git repository)"}')
    with pytest.raises(UserError, match=r"results/run/provenance.json doesn't name the commit"):
        verify(str(archive))
    with pytest.raises(UserError, match=r"'results' is no commit"):
        verify("results")


@pytest.mark.slow
def test_another_version_of_a_library_is_different(project: Path, settings: dict[str, str]) -> None:
    (project / "numerics.lock").write_text("numpy==1.0\nnowhere==2.0\n")
    small.commit(project, settings)
    found = of_commit("HEAD")
    assert found.findings == [
        f"numpy: {np.__version__} is installed, numerics.lock names 1.0",
        "nowhere: none is installed, numerics.lock names 2.0",
    ]
    assert not found.passes()


@pytest.mark.slow
def test_a_stage_that_fails_is_told_in_its_own_words(project: Path, settings: dict[str, str]) -> None:
    script = project / "stages/train.py"
    script.write_text("import sys\nsys.exit('error: b is empty')\n" + script.read_text())
    small.commit(project, settings)
    with pytest.raises(UserError, match="the commit's pipeline fails: error: b is empty"):
        of_commit("HEAD")
    assert subprocess.check_output(["git", "worktree", "list"]).count(b"\n") == 1


def test_it_wants_a_commit(project: Path) -> None:
    with pytest.raises(UserError, match="'nowhere' is no commit"), worktree("nowhere"):
        pass


SLEEPS = "import time\nprint('begun', flush=True)\ntime.sleep(600)\n"


@pytest.mark.slow
def test_a_terminated_verify_leaves_no_checkout_behind(project: Path, settings: dict[str, str], tmp_path: Path) -> None:
    (project / "stages/train.py").write_text(SLEEPS)
    small.commit(project, settings)
    (tmp_path / "temporary").mkdir()
    code = "import sys; from multiresunet.cli import main; sys.argv = ['multiresunet', 'verify', 'HEAD']; main()"
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr
        assert any("begun" in line for line in process.stderr)
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.communicate(timeout=400)
    assert process.returncode == 130  # as after Ctrl-C
    assert not any(map(alive, family))
    assert list((tmp_path / "temporary").glob("multiresunet-*")) == []
    assert subprocess.check_output(["git", "worktree", "list"]).count(b"\n") == 1


@pytest.mark.slow
def test_a_killed_verify_leaves_no_stage_behind(template: Path, settings: dict[str, str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(template, tmp_path / "killed"))
    (folder / "stages/train.py").write_text(SLEEPS)
    code = "from pathlib import Path; from multiresunet.review import verify; verify._reproduce(Path())"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **settings, "PYTHONPATH": str(small.ROOT)},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr
        assert any("begun" in line for line in process.stderr)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert len(family) >= 2  # DVC and the stage
        deadline = time.monotonic() + 40
        while any(map(alive, family)) and time.monotonic() < deadline:
            time.sleep(0.1)
    left = [one for one in family if alive(one)]
    for one in left:
        one.kill()
    assert left == []


def alive(process: psutil.Process) -> bool:
    """Whether a process lives; one that is dead may wait for init to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

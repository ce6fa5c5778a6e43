"""`multiresunet verify` beside a small DVC project: each kind of change is found, by the file's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from multiresunet import config
from multiresunet.cli.verify import verify
from multiresunet.data import readers
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.review.verify import changed_folders, of_commit, of_workspace
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
    tree = yaml.safe_load((small.ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["datasets"] = dict.fromkeys("ab", tree["datasets"]["nuclei"])
    tree["run"] |= {"datasets": ["a", "b"], "tuned": {"datasets": [], "models": []}}
    (folder / "params.yaml").write_text(yaml.safe_dump({**tree, "seed": 3}))
    path = folder / "dvc.yaml"
    # A folder for each data set, as in the real pipeline.
    path.write_text(path.read_text().replace("python -m stages.train", "echo >> log; python -m stages.train"))
    path.write_text(path.read_text().replace("deps: [stages/train.py", "params: [seed]\n    deps: [stages/train.py"))
    script = folder / "stages/fetch.py"
    text = script.read_text().replace('Path("data/raw").mkdir', 'Path("data/raw", sys.argv[1]).mkdir')
    script.write_text(text.replace("sys.argv[1]).write_text", "sys.argv[1], 'image').write_text"))
    script = folder / "stages/train.py"
    script.write_text(script.read_text().replace('Path("data/raw", name)', 'Path("data/raw", name, "image")'))
    (folder / ".gitignore").write_text("/data/\n/log\n")
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
    assert out == "Every table is the one that the commit makes.\n"
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
    with pytest.raises(UserError, match=r"^metrics/summary.csv, dvc.lock: not what the commit makes"):
        verify("main")
    assert "metrics/summary.csv: the commit makes another one\n" in capsys.readouterr().out


def test_a_hand_edited_params_yaml_is_named_with_its_key(project: Path, settings: dict[str, str]) -> None:
    replace(project / "params.yaml", "seed: 3", "seed: 4")
    assert of_workspace() == ["params.yaml: differs from the commit"]
    small.commit(project, settings)
    assert of_commit("HEAD") == [
        "params.yaml: seed isn't what dvc.lock was made with",
        "metrics/summary.csv: the commit makes another one",
        "dvc.lock: the commit makes another one",
    ]


def test_a_changed_data_file_is_named(project: Path) -> None:
    image = project / "data/raw/b/image"
    before = image.stat()
    image.chmod(0o644)
    image.write_text("B")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    (project / "data/raw/a/more").touch()
    assert of_workspace() == ["data/raw/a/more: is one too many, by dvc.lock", "data/raw/b/image: changed, by dvc.lock"]
    assert of_commit("HEAD") == []


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


def test_a_changed_file_in_the_cache_is_named(project: Path) -> None:
    [cached] = [path for path in project.glob(".dvc/cache/files/md5/*/*") if path.read_bytes() == b"b"]
    cached.chmod(0o644)
    cached.write_text("B")
    assert "data/raw/b/image: changed, by dvc.lock" in of_commit("HEAD")


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

"""The wheel: what it holds, and that it works where there is no repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import multiresunet
from tests.inference.packages.making import folder_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with what the lock has."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), "."]
    subprocess.run([sys.executable, "-m", "pip", *words], cwd=Path(__file__).parents[1], check=True)
    (built,) = folder.iterdir()
    return built


def test_it_holds_the_library_with_its_templates_and_tables_and_nothing_else(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "multiresunet"]
    files = subprocess.check_output(command, cwd=repository, text=True).split("\0")
    assert packed == {name for name in files if name and (repository / name).exists()}
    assert "multiresunet/py.typed" in packed


# Run in a new environment, outside the repository, isolated from the caller's paths.
USE = """
import importlib, pkgutil, sys
import multiresunet
from importlib.metadata import version

print(version("multiresunet"), multiresunet.__version__, multiresunet.__file__)
for name in multiresunet.__all__:
    getattr(multiresunet, name)
names = [m.name for m in pkgutil.walk_packages(multiresunet.__path__, "multiresunet.") if "__main__" not in m.name]
for name in names:
    importlib.import_module(name)
ours = {"stages", "flows", "tests", "benchmarks", "make"}
print(len(names), sorted(ours & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel, outside the repository."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python, site = venv / "bin/python", sysconfig.get_path("purelib", vars={"base": str(venv)})
    # Its dependencies are those of this Python; .pth files there, of an editable installation, are not read.
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    words = ["--quiet", "--python", str(python), "install", "--no-index", "--no-deps", "--ignore-installed"]
    subprocess.run([sys.executable, "-m", "pip", *words, str(wheel)], cwd=venv.parent, check=True)
    return venv


def test_it_works_in_an_environment_of_its_own_outside_the_repository(
    venv: Path, tmp_path: Path, repository: Path
) -> None:
    python, site = venv / "bin/python", sysconfig.get_path("purelib", vars={"base": str(venv)})
    used = subprocess.check_output([python, "-I", "-c", USE], cwd=tmp_path, text=True).splitlines()
    version = multiresunet.__version__
    assert used[0] == f"{version} {version} {site}/multiresunet/__init__.py"
    modules = [path for path in repository.glob("multiresunet/**/*.py") if path.name != "__main__.py"]
    assert used[1] == f"{len(modules) - 1} []"  # the package itself is imported first
    for command in tomllib.loads((repository / "pyproject.toml").read_text())["project"]["scripts"]:
        done = subprocess.run([venv / "bin" / command, "--help"], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage" in done.stdout


def test_a_bundle_predicts_there_in_an_empty_folder(venv: Path, tmp_path: Path, repository: Path) -> None:
    multiresunet = venv / "bin/multiresunet"
    model = folder_of(tmp_path / "model", folds=2)
    words = [multiresunet, "export", str(model), "--to", "bundle", "--out", str(tmp_path / "empty/m.zip")]
    subprocess.run(words, cwd=repository, check=True)  # whose licence and citation it takes
    shutil.rmtree(model)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70)).astype(np.uint8)).save(tmp_path / "a.png")
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}  # no git, no DVC
    words = [multiresunet, "predict", "m.zip", "../a.png", "--out", "out"]
    done = subprocess.run(words, cwd=tmp_path / "empty", env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1 of 1 images predicted into out\n"), done.stderr
    with Image.open(tmp_path / "empty/out/a_mask.png") as mask:
        assert mask.size == (70, 50)
    assert sorted(one.name for one in (tmp_path / "empty").iterdir()) == ["m.zip", "out"]

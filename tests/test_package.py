"""The wheel: what it holds, and that it works where there is no repository."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

import multiresunet

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


def test_it_works_in_an_environment_of_its_own_outside_the_repository(
    wheel: Path, tmp_path: Path, repository: Path
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python, site = venv / "bin/python", sysconfig.get_path("purelib", vars={"base": str(venv)})
    # Its dependencies are those of this Python; .pth files there, of an editable installation, are not read.
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    words = ["--quiet", "--python", str(python), "install", "--no-index", "--no-deps", "--ignore-installed"]
    subprocess.run([sys.executable, "-m", "pip", *words, str(wheel)], cwd=tmp_path, check=True)
    used = subprocess.check_output([python, "-I", "-c", USE], cwd=tmp_path, text=True).splitlines()
    version = multiresunet.__version__
    assert used[0] == f"{version} {version} {site}/multiresunet/__init__.py"
    modules = [path for path in repository.glob("multiresunet/**/*.py") if path.name != "__main__.py"]
    assert used[1] == f"{len(modules) - 1} []"  # the package itself is imported first
    for command in tomllib.loads((repository / "pyproject.toml").read_text())["project"]["scripts"]:
        done = subprocess.run([venv / "bin" / command, "--help"], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage" in done.stdout

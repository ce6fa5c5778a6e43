"""Portable arithmetic is chosen before a library is imported, in every kind of process, or else it's an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from multiresunet import arithmetic
from multiresunet.errors import UserError

ROOT = Path(__file__).parents[1]
ALL = [name for caps in arithmetic.CAPS.values() for name in caps]
BARE = {name: value for name, value in os.environ.items() if name not in (*ALL, arithmetic.CHOICE)}
PORTABLE = pytest.mark.skipif(bool(arithmetic.obstacle()), reason=f"this is {arithmetic.obstacle()}")


def python(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process in which nothing is chosen."""
    return subprocess.run(
        [sys.executable, "-c", text],
        cwd=folder,
        env={**BARE, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


@PORTABLE
def test_the_tests_are_portable() -> None:
    arithmetic.check("portable")
    assert arithmetic.in_use() == "portable"


@PORTABLE
def test_a_library_call_is_portable_and_every_library_says_so(tmp_path: Path) -> None:
    text = """
from multiresunet import build_network, arithmetic
import scipy.linalg, threadpoolctl, torch
print(arithmetic.in_use(), arithmetic._mkl_branch(arithmetic.Path(torch.__file__).parent))
print(*{(found["architecture"], found["num_threads"]) for found in threadpoolctl.threadpool_info()
        if found["internal_api"] == "openblas"})
torch.nn.functional.conv2d(torch.ones(2, 8, 16, 16), torch.ones(8, 8, 3, 3))
"""
    said = python(text, tmp_path, ONEDNN_VERBOSE="1").stdout
    assert said.startswith("portable 3\n('Haswell', 1)\n")
    assert "info,cpu,isa:Intel AVX2\n" in said


@PORTABLE
def test_a_library_call_is_native_if_the_user_says_so(tmp_path: Path) -> None:
    text = "from multiresunet import PreparedDataset, arithmetic\nprint(arithmetic.in_use())"
    assert python(text, tmp_path, MULTIRESUNET_ARITHMETIC="native").stdout == "native\n"
    assert python(text, tmp_path, MULTIRESUNET_ARITHMETIC="portable").stdout == "portable\n"
    said = python(text, tmp_path, MULTIRESUNET_ARITHMETIC="nativ").stderr
    assert "MULTIRESUNET_ARITHMETIC = 'nativ': must be portable or native" in said


@PORTABLE
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import numpy; arithmetic.use('portable')", "numpy: imported before portable arithmetic was chosen; import "),
        ("import numpy; arithmetic.check('portable')", "OPENBLAS_CORETYPE isn't 'Haswell', "),
        ("arithmetic.use('native'); import numpy; arithmetic.check('portable', ['numpy'])", "OPENBLAS_NUM_THREADS"),
        (
            "import numpy, os; os.environ |= arithmetic.CAPS['numpy'] | arithmetic.CAPS['torch']; import torch;"
            "os.environ |= {'MKL_CBWR': 'AVX2'}; torch.ones(64, 64) @ torch.ones(64, 64);"
            "os.environ |= arithmetic.CAPS['torch']; arithmetic.check('portable')",
            "MKL uses its branch ",
        ),
    ],
)
def test_a_library_imported_too_early_is_an_error(text: str, said: str, tmp_path: Path) -> None:
    done = python(f"from multiresunet import arithmetic\n{text}", tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("multiresunet.errors.UserError: ")]
    assert said in line
    assert line.endswith("or set MULTIRESUNET_ARITHMETIC=native to do without")


@PORTABLE
@pytest.mark.parametrize("text", ["use('native')", "check('native')"])
def test_native_may_come_at_any_time(text: str, tmp_path: Path) -> None:
    assert python(f"from multiresunet import arithmetic\nimport numpy\narithmetic.{text}", tmp_path).returncode == 0


@PORTABLE
@pytest.mark.parametrize(("recipe", "wanted"), [("quick", "portable"), ("paper", "native")])
def test_a_stage_does_as_its_recipe_says(recipe: str, wanted: str, tmp_path: Path) -> None:
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["run"]["recipe"] = recipe
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    text = """
import stages, os
from multiresunet import arithmetic
print(arithmetic.CHOICE in os.environ and os.environ[arithmetic.CHOICE], *(
    all(os.environ.get(name) == value for name, value in caps.items()) for caps in arithmetic.CAPS.values()))
"""
    inherited = arithmetic.CAPS["numpy"] | arithmetic.CAPS["torch"] | {"MULTIRESUNET_ARITHMETIC": "native"}
    for environment in ({}, inherited):
        assert python(text, tmp_path, **environment).stdout.split() == [wanted, "True", str(wanted == "portable")]


@PORTABLE
def test_a_stage_that_begins_too_late_stops(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    text = "import numpy, runpy, sys; sys.argv[1:] = ['nuclei']; runpy.run_module('stages.fetch', run_name='__main__')"
    done = python(text, tmp_path)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: NPY_DISABLE_CPU_FEATURES isn't ")
    assert not (tmp_path / "data").exists()


def test_the_command_line_imports_no_library_before_it_has_chosen(tmp_path: Path) -> None:
    text = "import multiresunet.cli, sys; print([name for name in ('numpy', 'torch') if name in sys.modules])"
    assert python(text, tmp_path).stdout == "[]\n"


@pytest.mark.parametrize(
    ("system", "machine", "flags", "reason"),
    [
        ("Linux", "x86_64", "fma avx2 avx512f", None),
        ("Linux", "x86_64", "avx sse4_2", "a CPU without AVX2"),
        ("Linux", "aarch64", "asimd", "Linux on aarch64"),
        ("Darwin", "arm64", "", "Darwin on arm64"),
    ],
)
def test_a_machine_that_cannot_says_so_and_goes_on(
    system: str, machine: str, flags: str, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: A CPU: fast\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    monkeypatch.setattr(arithmetic, "CPUINFO", cpuinfo)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    arithmetic.obstacle.cache_clear()
    try:
        assert arithmetic.obstacle() == reason
        assert arithmetic.cpu() == "A CPU: fast"
        if reason:
            assert (arithmetic.note() or "").startswith(f"note: this is {reason}; its bytes differ ")
            arithmetic.use("portable")
            arithmetic.check("portable")
            assert arithmetic.in_use() == "native"
            assert not set(ALL) & set(os.environ)
        else:
            assert arithmetic.note() is None
            with pytest.raises(UserError, match="ATEN_CPU_CAPABILITY isn't 'avx2'"):
                arithmetic.check("portable")
    finally:
        arithmetic.obstacle.cache_clear()

"""Portable arithmetic gives the same bytes on this CPU, and on those that qemu emulates, as where they were kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from multiresunet import arithmetic
from tests import reference_run

ROOT = Path(__file__).parents[1]
KEPT = json.loads(reference_run.KEPT.read_text(encoding="utf-8"))
QEMU = shutil.which("qemu-x86_64")
NEEDED = 10  # version 7 crashes in PyTorch's grid_sample
CPUS = ["EPYC-Milan", "Haswell"]  # of both makers; this machine's own may have AVX-512
PINNED = dict(line.split("==") for line in (ROOT / "numerics.lock").read_text(encoding="utf-8").split())
OTHERS = [name for name, pin in PINNED.items() if version(name).split("+")[0] != pin.split("+")[0]]

pytestmark = [
    pytest.mark.skipif(bool(arithmetic.obstacle()), reason=f"this is {arithmetic.obstacle()}"),
    pytest.mark.skipif(bool(OTHERS), reason=f"other versions than in numerics.lock: {', '.join(OTHERS)}"),
]


def emulator() -> str | None:
    """Why no other CPU can be emulated here; None if one can."""
    if QEMU is None:
        return "qemu-x86_64 isn't installed; Debian's package is qemu-user"
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout.split()
    found = said[said.index("version") + 1]
    return None if int(found.split(".")[0]) >= NEEDED else f"this is qemu {found}; {NEEDED} or newer is needed"


REMEDY = (
    "if the code was meant to make other numbers, or the lock has new versions: python -m tests.reference_run --write"
)


def differing(found: dict[str, str], kept: dict[str, str]) -> list[str]:
    return sorted(name for name in found.keys() | kept.keys() if found.get(name) != kept.get(name))


def test_this_cpu_makes_the_kept_hashes() -> None:
    assert not differing(reference_run.hashes(), KEPT), REMEDY


@pytest.mark.slow
@pytest.mark.skipif(bool(emulator()), reason=str(emulator()))
def test_other_cpus_make_them_too(tmp_path: Path) -> None:
    kept = {name: value for name, value in KEPT.items() if name not in reference_run.REPORTED}
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    running = {}
    for cpu in CPUS:  # side by side
        command = [str(QEMU), "-cpu", cpu, sys.executable, "-m", "tests.reference_run", "--computed"]
        with (tmp_path / cpu).open("w") as said:
            running[cpu] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said)
    for cpu, process in running.items():
        found, _ = process.communicate()
        assert process.returncode == 0, f"{cpu}: {(tmp_path / cpu).read_text()}"
        assert not differing(json.loads(found), kept), f"{cpu}; {REMEDY}"

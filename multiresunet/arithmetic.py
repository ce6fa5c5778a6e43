"""Portable arithmetic: the same bytes on every CPU with AVX2, whoever made it and whatever else it can.

Numerical libraries choose their code by the CPU, once: when they are imported, or when they first compute. Other code
sums in another order. So they are told what to use beforehand, by environment variables, which processes that this one
starts inherit. docs/reproducibility.md says which library needs which, and what isn't covered.

Nothing here imports such a library, and what does imports this first.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from multiresunet.errors import UserError

Arithmetic = Literal["portable", "native"]

CHOICE = "MULTIRESUNET_ARITHMETIC"  # what this process has chosen; for library calls and commands, what the user has
AVX512 = "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"  # NumPy's names, old ones too
CAPS = {
    "numpy": {  # and all that is built on it
        "NPY_DISABLE_CPU_FEATURES": AVX512,
        "OPENBLAS_CORETYPE": "Haswell",  # matrix products of NumPy and SciPy
        "OPENBLAS_NUM_THREADS": "1",
    },
    "torch": {
        "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # its convolutions
        "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
        "MKL_CBWR": "COMPATIBLE",  # its matrix products; AVX2 isn't honoured on AMD's CPUs
    },
}
LIBRARIES = tuple(CAPS)
CONTRARY = "NPY_ENABLE_CPU_FEATURES"  # with which NumPy doesn't start
REMEDY = (
    "import multiresunet.arithmetic and call its use() before NumPy and PyTorch are imported, "
    f"or set {CHOICE}=native to do without"
)
COMPATIBLE = 3  # MKL's number of that branch
CPUINFO = Path("/proc/cpuinfo")


def use(wanted: Arithmetic, libraries: Iterable[str] = LIBRARIES) -> None:
    """Choose the arithmetic of this process and of those that it starts, before the libraries are imported.

    Where a machine can't do portable arithmetic (`obstacle`), it computes as it does.

    Args:
        wanted: native takes away what portable has set.
        libraries: to which this applies.

    Raises:
        UserError: one of them is imported, and wasn't told.
    """
    caps = {name: value for library in libraries for name, value in CAPS[library].items()}
    if wanted == "native":
        for name in [name for name, value in caps.items() if os.environ.get(name) == value]:
            del os.environ[name]
    elif not obstacle():
        if (early := loaded(libraries)) and deviations(libraries):
            raise UserError(f"{' and '.join(early)}: imported before portable arithmetic was chosen; {REMEDY}")
        os.environ.update(caps)
        os.environ.pop(CONTRARY, None)
    os.environ[CHOICE] = wanted


def use_by_default() -> None:
    """Choose for a library call or a command: what the environment says, or else portable.

    Raises:
        UserError: the environment says something else.
    """
    wanted = os.environ.get(CHOICE, "portable")
    if wanted not in ("portable", "native"):
        raise UserError(f"{CHOICE} = {wanted!r}: must be portable or native")
    use("native" if wanted == "native" else "portable")


def check(wanted: Arithmetic, libraries: Iterable[str] = LIBRARIES) -> None:
    """See that what is to be computed in portable arithmetic is.

    Raises:
        UserError: a library was imported too early, or uses more than it was told to.
    """
    if wanted == "portable" and not obstacle() and (found := deviations(libraries)):
        raise UserError(f"{', '.join(found)}: this isn't portable arithmetic; {REMEDY}")


def in_use() -> Arithmetic:
    """The arithmetic in which this process computes."""
    return "native" if obstacle() or deviations() else "portable"


def deviations(libraries: Iterable[str] = LIBRARIES) -> list[str]:
    """What isn't portable here: variables, and what the libraries that are imported have made of them."""
    found = [
        f"{name} isn't {value!r}"
        for library in libraries
        for name, value in CAPS[library].items()
        if os.environ.get(name) != value
    ]
    there = loaded(libraries)
    if "numpy" in there:
        import numpy as np

        used = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
        found += [f"NumPy uses {name}" for name in used if name in AVX512.split()]
    if "torch" in there:
        import torch

        if (capability := torch.backends.cpu.get_cpu_capability()) != "AVX2":
            found.append(f"PyTorch uses {capability}")
        if (branch := _mkl_branch(Path(torch.__file__).parent)) not in (None, COMPATIBLE):
            found.append(f"MKL uses its branch {branch}")
    return found


def loaded(libraries: Iterable[str] = LIBRARIES) -> list[str]:
    """Those that are imported, and whose choice is made."""
    return [library for library in libraries if library in sys.modules]


@cache
def obstacle() -> str | None:
    """Why this machine can't do portable arithmetic; None if it can."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine not in ("x86_64", "AMD64"):
        return f"{system} on {machine}"
    flags = _cpuinfo().get("flags", "").split()
    return None if {"avx2", "fma"} <= set(flags) else "a CPU without AVX2"


def note() -> str | None:
    """A line to be shown where portable arithmetic is wanted and this machine can't do it."""
    if not (found := obstacle()):
        return None
    return f"note: this is {found}; its bytes differ from those of Linux on x86-64 with AVX2 (docs/reproducibility.md)"


def cpu() -> str:
    """The CPU's name, as it gives it."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def in_words() -> str:
    """The arithmetic of this process, and the CPU."""
    return f"{in_use()} arithmetic, {cpu()}"


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first CPU; empty elsewhere."""
    try:
        first = CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


@cache
def _mkl_branch(torch: Path) -> int | None:
    """The branch that MKL takes; None where PyTorch has no MKL or doesn't say."""
    try:
        return int(ctypes.CDLL(str(torch / "lib/libtorch_cpu.so")).mkl_serv_cbwr_get(-1))
    except (OSError, AttributeError):
        return None

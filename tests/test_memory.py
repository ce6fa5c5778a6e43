"""Freed memory is kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

from multiresunet.memory import keep_freed_memory

# Counts the pages that the kernel had to hand out, for the same work.
FAULTS = """
import resource
import sys
from multiresunet.memory import keep_freed_memory
keep_freed_memory(sys.argv[1] == "keep")
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    block = bytearray(48 * 2**20)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not keep_freed_memory(), reason="needs glibc")
def test_a_large_block_is_had_from_the_kernel_only_once() -> None:
    kept, returned = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "return")
    )
    assert kept < returned / 5

"""How freed memory is kept for the next step, and how to tell that there is none left."""

from __future__ import annotations

import ctypes
import sys

import torch

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
LARGEST = 32 * 2**20  # bytes; the highest threshold that glibc adapts itself to


def keep_freed_memory(keep: bool = True) -> bool:
    """Have glibc hand freed blocks to the next allocation, however large; False where there is no glibc.

    As it comes, it returns blocks of more than 32 MiB to the kernel, which fills the next ones with zeros, page by
    page. A training step frees and takes hundreds of such blocks: a third of its time at 256×256 with 6 images.

    Args:
        keep: false gives back what glibc does by itself after it has seen a few large blocks.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):  # musl
        return False
    # -1: never give back.
    libc.mallopt(M_TRIM_THRESHOLD, -1 if keep else 2 * LARGEST)
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
    libc.mallopt(M_MMAP_MAX, 0 if keep else 65536)
    return True


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory is full, of this machine or of a GPU."""
    words = ("can't allocate memory", "not enough memory", "CUDA out of memory")  # of PyTorch's CPU allocator
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in words)

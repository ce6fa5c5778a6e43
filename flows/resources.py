"""What stages run on: cores and GPUs. A stage that computes with networks takes a GPU where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Queue

ON_GPU = {"tune", "train", "predict", "train_tuned", "predict_tuned"}  # stages that compute with networks


def devices() -> list[str]:
    """The GPUs that may be used: those of CUDA_VISIBLE_DEVICES, or else all of this machine."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True).stdout
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]


class Resources:
    """Cores and GPUs that are free."""

    def __init__(self, cores: int, gpus: Sequence[str]) -> None:
        """`gpus`: devices, one stage on each at a time (twice in the list: two)."""
        self._cores, self._gpus = Queue[str](), Queue[str]()
        self._has_gpu = bool(gpus)
        for _ in range(max(1, cores)):
            self._cores.put("")
        for device in gpus:
            self._gpus.put(device)

    @contextmanager
    def take(self, stage: str) -> Iterator[str]:
        """Wait for a GPU or a core for a stage, and give it back afterwards.

        Yields:
            The GPU's name, or "" for a core.
        """
        free = self._gpus if self._has_gpu and stage.partition("@")[0] in ON_GPU else self._cores
        device = free.get()
        try:
            yield device
        finally:
            free.put(device)

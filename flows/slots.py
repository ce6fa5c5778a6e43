"""Places in which stages run: one for each core, and one for each GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

ON_GPU = {"tune", "train", "evaluate"}  # stages that compute with networks


def devices() -> list[str]:
    """The GPUs that may be used: those of CUDA_VISIBLE_DEVICES, or else all of this machine."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True).stdout
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]


class Slots:
    """Free places. A stage that computes with networks takes a GPU where there is one, any other a core."""

    def __init__(self, cpu: int, gpus: Sequence[str]) -> None:
        self._has_gpu = bool(gpus)
        self._gpus = list(gpus)
        self._cpu = max(1, cpu)

    def take(self, stage: str) -> str | None:
        """A place for a stage, to be given back; None: wait.

        Returns:
            The GPU's name, or "" for a core.
        """
        if self._has_gpu and stage.partition("@")[0] in ON_GPU:
            return self._gpus.pop(0) if self._gpus else None
        if not self._cpu:
            return None
        self._cpu -= 1
        return ""

    def give_back(self, place: str) -> None:
        """Free a place."""
        if place:
            self._gpus.append(place)
        else:
            self._cpu += 1

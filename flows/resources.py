"""What stages run on: cores and GPUs. A stage that computes with networks takes a GPU where there is one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

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


class Places:
    """Places of one kind. Of those who wait, the one with the highest rank is next; of equals, whoever came first."""

    def __init__(self, names: Sequence[str]) -> None:
        self._free, self._waiting = list(names), list[tuple[int, int]]()
        self._changed, self._numbers = threading.Condition(), itertools.count()

    @contextmanager
    def take(self, rank: int) -> Iterator[str]:
        """Wait for a place, and give it back afterwards; its name."""
        with self._changed:
            own = (-rank, next(self._numbers))
            self._waiting.append(own)
            try:
                self._changed.wait_for(lambda: self._free and min(self._waiting) == own)
                name = self._free.pop(0)
            finally:
                self._waiting.remove(own)
                self._changed.notify_all()
        try:
            yield name
        finally:
            with self._changed:
                self._free.append(name)
                self._changed.notify_all()


class Resources:
    """Cores and GPUs that are free."""

    def __init__(self, cores: int | None, gpus: Sequence[str] | None) -> None:
        """Take what there is.

        Args:
            cores: how many stages may run on the CPU at a time; None for one per core
            gpus: devices, one stage on each at a time (twice in the list: two); None for all that there are
        """
        gpus = devices() if gpus is None else gpus
        #: How many stages run on the CPU at a time, and how many on GPUs.
        self.cores, self.gpus = cores or os.cpu_count() or 1, len(gpus)
        self._cores, self._gpus = Places([""] * self.cores), Places(gpus)

    def needs_gpu(self, stage: str) -> bool:
        """Whether a stage waits for a GPU, and not for a core."""
        return self.gpus > 0 and stage.partition("@")[0] in ON_GPU

    def side_by_side(self, due: Mapping[str, Collection[str]]) -> int:
        """How many stages can begin at once.

        Args:
            due: stages that are to run, with those that each waits for
        """
        first = [name for name, upstream in due.items() if not upstream]
        on_gpus = sum(map(self.needs_gpu, first))
        return min(on_gpus, self.gpus) + min(len(first) - on_gpus, self.cores)

    def take(self, stage: str, rank: int = 0) -> AbstractContextManager[str]:
        """Wait for a GPU or a core for a stage, and give it back afterwards.

        Args:
            stage: its name
            rank: of those that wait, the highest is next

        Returns:
            A context with the GPU's name, or "" for a core.
        """
        return (self._gpus if self.needs_gpu(stage) else self._cores).take(rank)

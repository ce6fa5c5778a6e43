"""Predict pictures side by side: faster than one after the other by all threads, since small layers keep few busy."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from multiresunet.data.readers import Decoded
from multiresunet.inference.model import Model, Options
from multiresunet.inference.prediction import Prediction

LARGE = 2**21  # pixels, of a picture beside which no other is held


class Workers:
    """Threads that predict, as many as PyTorch has, for pictures that a network on the CPU sees at one small size.

    Each picture is then one thread's, so its bytes don't depend on how many there are. Everything else (volumes,
    tiles, patches, GPUs) is predicted by all threads at once, one after the other.
    """

    def __init__(self, model: Model, options: Options) -> None:
        predictor = model.predictor
        small = predictor.device.type == "cpu" and predictor.spec.dims == 2 and predictor.window is None
        self._model, self._options, self._threads = model, options, torch.get_num_threads()
        several, each = (self._threads, 1) if small and options.how == "trained" else (1, self._threads)
        self.room = several if several > 1 else 0  # how many small pictures may wait for their turn
        self._pool = ThreadPoolExecutor(several, initializer=torch.set_num_threads, initargs=(each,))
        assert predictor.ready  # before several threads ask for it

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)  # which the workers have changed for all threads to come

    def room_beside(self, decoded: Decoded) -> int:
        """How many pictures, this one among them, may wait for their turn."""
        return self.room if math.prod(decoded.array.shape[1:]) <= LARGE else 0

    def submit(self, decoded: Decoded, name: str) -> Future[tuple[Prediction, float]]:
        """Predict a picture as it was read: the prediction, and its seconds."""
        return self._pool.submit(self._predict, decoded, name)

    def _predict(self, decoded: Decoded, name: str) -> tuple[Prediction, float]:
        since = time.perf_counter()
        prediction = self._model.predict(decoded.array, decoded.spacing, self._options, name)
        return prediction, time.perf_counter() - since


def memory_is_full(model: Model, path: Path) -> str:
    """The line for an image that memory doesn't suffice for."""
    return f"{path}: out of memory on {model.predictor.device}; use --how tiles, or --device cpu"

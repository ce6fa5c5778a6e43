"""Predict one image at a time, and keep the last few: planes for the eye, and files as `predict` writes them."""

from __future__ import annotations

import io
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multiresunet.data import manifest
from multiresunet.data.readers import Array, Decoded
from multiresunet.errors import UserError
from multiresunet.inference import writing
from multiresunet.inference.batch import Request, measured, places_of, write_outputs
from multiresunet.inference.geometry import check_picture
from multiresunet.inference.inputs import Input, read
from multiresunet.inference.model import Model, Options
from multiresunet.inference.outputs import displayed
from multiresunet.inference.prediction import Prediction, needs_several
from multiresunet.inference.workers import memory_is_full
from multiresunet.memory import out_of_memory
from multiresunet.registries import OUTPUTS

KEPT = 2  # predictions, beside the one that is being made
LONGEST = 4096  # pixels of a side that a browser is sent; of larger images every second one, or third, …
ANATOMICAL = ("sagittal", "coronal", "axial")  # what the planes across the axes of a volume in RAS are called


class BusyError(Exception):
    """Another image is being sent or predicted."""


@dataclass(frozen=True)
class Wanted:
    """How an output is to be made; None: at the model's threshold."""

    threshold: float | None = None
    format: str = writing.SAME
    instances: str = "components"


DEFAULT = Wanted()


@dataclass(frozen=True)
class Kept:
    """An image and its prediction.

    key: what to ask for it by.
    one: its file.
    decoded: what was read from it.
    prediction: at the threshold that is the model's, or that was asked for.
    seconds: that reading and predicting took.
    """

    key: str
    one: Input
    decoded: Decoded
    prediction: Prediction
    seconds: float

    @cached_property
    def shown(self) -> NDArray[np.uint8]:
        """(D×)H×W×3 for the eye; a volume's planes with one contrast for all."""
        return displayed(self.decoded.array)

    def at(self, threshold: float | None) -> Prediction:
        """The prediction at another threshold."""
        return self.prediction if threshold is None else replace(self.prediction, threshold=threshold)

    def facts(self, threshold: float | None = None) -> dict[str, Any]:
        """What the page says of it: the figures of predictions.csv, and how its planes lie."""
        prediction = self.at(threshold)
        inside = prediction.mask > 0
        dims = inside.ndim
        named = ANATOMICAL if self.decoded.space is not None else ("along axis 1", "along axis 2", "along axis 3")
        return {
            "id": self.key,
            "name": self.one.path.name,
            "shape": inside.shape,
            "spacing": self.decoded.spacing,
            "container": self.decoded.container,
            "notes": self.decoded.notes,
            "threshold": prediction.threshold,
            "step": step_of(inside.shape),
            "planes": [
                {"name": named[axis], "count": inside.shape[axis], "most": most_of(inside, axis)}
                for axis in range(dims if dims == 3 else 0)
            ],
            "first": 2 if self.decoded.space is not None else 0,
            "seconds": round(self.seconds, 3),
            **measured(prediction, "components"),
            "warnings": prediction.warnings,
        }

    def picture(self, axis: int, index: int) -> bytes:
        """A plane of the image as PNG."""
        plane = self.plane(np.moveaxis(self.shown, -1, 0), axis, index)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(np.moveaxis(plane, 0, -1))).save(file, "PNG", compress_level=1)
        return file.getvalue()

    def probability(self, axis: int, index: int) -> bytes:
        """A plane's probabilities of foreground, row by row: float32, the lowest byte first."""
        return self.plane(self.prediction.foreground, axis, index).astype("<f4").tobytes()

    def classes(self, axis: int, index: int) -> bytes:
        """The likeliest class of each of a plane's pixels, 1, 2, …: a byte each."""
        found = self.prediction.probabilities
        likeliest = 1 + found[1:].argmax(axis=0) if len(found) > 1 else np.ones(found.shape[1:])
        return self.plane(likeliest, axis, index).astype(np.uint8).tobytes()

    def plane(self, array: Array, axis: int, index: int) -> Array:
        """…×H×W of …×(D×)H×W: the plane `index` across `axis` of a volume; with up and anterior above, where known.

        Raises:
            UserError: if there is no such plane.
        """
        shape = self.decoded.array.shape[1:]
        if len(shape) == 3:
            if not (0 <= axis < 3 and 0 <= index < shape[axis]):
                raise UserError(f"{self.one.path.name}: has no plane {index} across axis {axis}; see planes")
            array = np.take(array, index, axis=axis - 3)
            if self.decoded.space is not None:  # axes run to the right, to the front and up; radiologists look at it so
                array = array.swapaxes(-1, -2)[..., ::-1, ::-1]
        step = step_of(shape)
        return array[..., ::step, ::step]


@contextmanager
def named_alone(path: Path) -> Iterator[None]:
    """Errors of a file without its folder, which is the server's own."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{path.parent}/", "")) from None


def step_of(shape: tuple[int, ...]) -> int:
    """Every how many pixels one is shown."""
    return ceil(max(shape) / LONGEST)


def most_of(inside: NDArray[np.bool_], axis: int) -> int:
    """The plane with the most foreground; the middle one if there is none."""
    counts = np.moveaxis(inside, axis, 0).reshape(inside.shape[axis], -1).sum(axis=1)
    return int(counts.argmax()) if counts.any() else inside.shape[axis] // 2


class Predictions:
    """The last few predictions of a model.

    Args:
        model: the model.
        options: how to predict.
        folder: for the files; a temporary one.
    """

    def __init__(self, model: Model, options: Options, folder: Path) -> None:
        self.model, self._options, self._folder = model, options, folder
        self._kept: dict[str, Kept] = {}
        self._job = Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep others away while an image is sent and predicted.

        Raises:
            BusyError: if another image is.
        """
        if not self._job.acquire(blocking=False):
            raise BusyError
        try:
            yield
        finally:
            self._job.release()

    def place(self, name: str) -> Path:
        """Where to put a file of this name; in a folder of its own."""
        folder = self._folder / secrets.token_hex(8)
        folder.mkdir()
        return folder / name

    def forget(self, path: Path) -> None:
        """Remove the folder that `place` has made for a file."""
        shutil.rmtree(path.parent, ignore_errors=True)

    def check(self, output: str, wanted: Wanted) -> None:
        """Refuse what no image gives.

        Raises:
            UserError: if there is no such output or format, or the model hasn't several networks.
        """
        if output not in OUTPUTS:
            raise UserError(f"save: {OUTPUTS.unknown(output)}")
        if wanted.format not in writing.FORMATS:
            raise UserError(f"format {wanted.format!r} isn't known; there is {', '.join(writing.FORMATS)}")
        if output == "uncertainty" and len(self.model.names) == 1:
            needs_several(None)

    def predict(self, path: Path, output: str | None = None, wanted: Wanted = DEFAULT) -> Kept:
        """Predict a file that lies at its `place`, in its `turn`.

        Args:
            path: the file.
            output: what will be asked for; None: the figures alone.
            wanted: how that is to be made.

        Raises:
            UserError: in the words of `multiresunet predict`, of the file's name alone.
        """
        with named_alone(path):
            made = self._predict(path, output, wanted)
            self._kept[made.key] = made
            for old in list(self._kept.values())[:-KEPT]:
                self._kept.pop(old.key)
                self.forget(old.one.path)
            return made

    def _predict(self, path: Path, output: str | None, wanted: Wanted) -> Kept:
        since = time.perf_counter()
        one = Input(path, manifest.sample_name(path.name))
        try:
            decoded = read(path, self.model.description.data.pages)
            check_picture(decoded.array, self.model.description.data, str(path))
            if output is not None:  # before there is work in it
                places_of(one, decoded, Request(path.parent, (output,), wanted.format))
            prediction = self.model.predict(decoded.array, decoded.spacing, self._options, str(path))
        except (MemoryError, RuntimeError) as problem:
            if not out_of_memory(problem):
                raise
            raise UserError(memory_is_full(self.model, path)) from None
        return Kept(path.parent.name, one, decoded, prediction, time.perf_counter() - since)

    def of(self, key: str) -> Kept:
        """What was predicted under a key.

        Raises:
            KeyError: if it isn't kept any more.
        """
        return self._kept[key]

    def file_of(self, kept: Kept, output: str, wanted: Wanted) -> tuple[str, bytes]:
        """Name and content of an output, as `multiresunet predict --save` writes it.

        Raises:
            UserError: if there is no such output, or it can't be made of this image.
        """
        self.check(output, wanted)
        out = kept.one.path.parent / secrets.token_hex(8)
        request = Request(out, (output,), wanted.format, wanted.instances)
        try:
            with named_alone(kept.one.path):
                [(draft, target)] = write_outputs(kept.one, kept.decoded, kept.at(wanted.threshold), request)
            return target.name, draft.read_bytes()
        finally:
            shutil.rmtree(out, ignore_errors=True)

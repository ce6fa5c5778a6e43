"""All networks of a model as one module, from images to mean probabilities, and how far a converted one is off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiresunet.data.description import DataDescription
from multiresunet.errors import UserError
from multiresunet.inference.logits import probabilities
from multiresunet.inference.model import Model
from multiresunet.nets import NetworkSpec
from multiresunet.paper import STEP

INPUT, OUTPUT = "image", "probability"
AXES = "dhw"
TOLERANCE = 1e-4  # of a probability
ODD, LARGE = (17, 33, 19), {2: (257, 300), 3: (33, 50, 41)}

Images = NDArray[np.float32]
Run = Callable[[Images], Images]
"""A converted model: N×C×(D×)H×W, as training images were prepared, to N×K×(D×)H×W."""


class Graph(nn.Module):
    """Mean probabilities of networks of the same task: N×C×(D×)H×W to N×1×…, or N×classes×… with the background."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        each = [probabilities(network(x)) for network in self.networks]
        total = each[0]
        for other in each[1:]:
            total = total + other
        return total / len(each)


def graph_of(model: Model) -> Graph:
    """A model's networks as they are exported: whole images at once, whatever window they learnt from."""
    graph = Graph([network.cpu() for network in model.predictor.networks]).eval()
    return graph.requires_grad_(False)


def left_out(data: DataDescription) -> list[str]:
    """What `predict` does with images of such a model, and a graph doesn't, beside scaling and normalising."""
    size, found = _in_words(data.size), []
    if data.fit == "patches":
        found.append(
            f"`predict` shows the networks windows of {size} that overlap by half, and takes the mean of their logits, "
            "weighted by a Gaussian; the file sees the whole image at once"
        )
    if data.fit in ("pad", "spacing"):
        found.append(
            f"`predict` fills images up with zeros after normalising, evenly on all sides, to {size} at least and to "
            f"multiples of {STEP}"
        )
    if data.normalisation == "zscore" and (data.fit == "resize" or data.spacing is not None):
        found.append("`predict` takes mean and deviation of the pixels as they are stored, and resizes afterwards")
    return found


def example(spec: NetworkSpec) -> Tensor:
    """What a graph is traced with: sides that need padding, or the branch that pads would be left out."""
    return torch.rand(2, spec.in_channels, *(STEP + 1 + axis for axis in range(spec.dims)))


@contextmanager
def tracing() -> Iterator[None]:
    """Leaves out what PyTorch says of tracing: whether sizes were fixed by it is compared afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sizes_of(data: DataDescription) -> list[tuple[int, ...]]:
    """The sizes at which a converted model is compared: training's, an odd one, and one that is larger than both."""
    large = tuple(max(side, own + 1) for side, own in zip(LARGE[data.dims], data.size, strict=True))
    return [data.size, ODD[: data.dims], large]


def compare(run: Run, model: Model, what: str, sizes: Sequence[tuple[int, ...]] = ()) -> str:
    """Run a converted model beside PyTorch, on random images.

    Args:
        run: the converted model, read from its file.
        model: what it was converted from.
        what: its format, for messages.
        sizes: to compare at; those of `sizes_of` if there are none.

    Returns:
        How far they are apart, in words.

    Raises:
        UserError: if that is more than `TOLERANCE` somewhere, or it fails.
    """
    data, rng = model.description.data, np.random.default_rng(0)
    by_pytorch, worst = replace(model.predictor, window=None, device=torch.device("cpu")), 0.0
    sizes = sizes or sizes_of(data)
    for count, size in enumerate(sizes, start=1):
        shape = min(count, 2), by_pytorch.spec.in_channels, *size  # more than one image, too
        drawn = rng.random(shape) if data.normalisation == "rescale" else rng.normal(size=shape)
        images = drawn.astype(np.float32)
        expected = by_pytorch.probabilities(images)
        try:
            found = run(images)
            apart = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
        except Exception as error:  # whatever another program's runtime raises
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{what}: fails at {_in_words(size)} ({reason}); nothing is written") from error
        if not apart <= TOLERANCE:  # NaN, too
            raise UserError(
                f"{what}: at {_in_words(size)} it differs from PyTorch by {apart:.2g}, more than {TOLERANCE:g}; "
                "nothing is written"
            )
        worst = max(worst, apart)
    at = ", ".join(map(_in_words, sizes))
    return f"{what} within {max(worst, 1e-8):.0e} of PyTorch at {at}"


def _in_words(size: Sequence[int]) -> str:
    return "×".join(map(str, size))

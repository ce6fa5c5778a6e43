"""What training leaves: a line for each epoch, and two sets of weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan, nan

from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Epoch:
    """One line of the history; epochs count from 1. Losses and the Jaccard index are means over images.

    updates: steps of the optimiser until the epoch's end.
    """

    epoch: int
    train_loss: float
    test_loss: float
    test_jaccard: float
    updates: int


@dataclass
class Fit:
    """The history, the weights after the last epoch, and those of the best epoch on the test images.

    `seconds`: what each epoch took, with its validation.
    """

    history: list[Epoch] = field(default_factory=list)
    last: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_jaccard(self) -> float:
        """The Jaccard index of the best epoch on the test images, as the paper reports it; NaN if none was tested."""
        return max((line.test_jaccard for line in self.history if not isnan(line.test_jaccard)), default=nan)


def copied(network: nn.Module) -> Weights:
    """A network's parameters and running statistics, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

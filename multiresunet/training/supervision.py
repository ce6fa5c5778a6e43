"""Deep supervision (Lee et al. 2015; in U-Nets Dou et al. 2016): coarser decoders have a loss of their own, too."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multiresunet.nets import UShape
from multiresunet.nets.layers import conv, initialise
from multiresunet.nets.ushape import cropped, padded
from multiresunet.training.losses import Loss


class Supervised(nn.Module):
    """A network as it is trained: with a 1×1 convolution on some coarser decoders, which nothing but training uses.

    Args:
        network: whatever gives logits; a `UShape` if there are weights.
        classes: logits per pixel.
        weights: of the losses at half the size, a quarter, …, beside the network's own, which counts 1; empty for none.
            Those of levels that the network doesn't have (U-Net's eighth, of volumes) count for nothing.
        generator: source of the heads' initial weights.
    """

    def __init__(self, network: nn.Module, classes: int, weights: Sequence[float], generator: torch.Generator) -> None:
        super().__init__()
        self.network, self.weights, self.step = network, weights, 1
        self.heads = nn.ModuleList()
        if weights:
            assert isinstance(network, UShape)  # the configuration refuses others
            self.weights, self.step = weights[: network.levels - 1], 2**network.levels
            for level in range(2, 2 + len(self.weights)):
                inputs = getattr(network, f"decoder{level}").outputs
                self.heads.append(conv(network.dims, inputs, classes, 1, bias=True))
            initialise(self.heads, generator)

    def forward(self, x: Tensor) -> list[Tensor]:
        """N×C×(D×)H×W to the network's logits, and then those of the heads, half the (padded) size each time."""
        if not self.heads:
            return [self.network(x)]
        assert isinstance(self.network, UShape)
        finest, *coarser = self.network.decoded(x)
        logits = cropped(self.network.head(finest), x.shape[2:])
        return [logits, *(head(y) for head, y in zip(self.heads, coarser, strict=False))]

    def losses(self, loss_of: Loss, outputs: Sequence[Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The network's own loss, and its sum with the weighted ones of the heads: what is to be minimised.

        Args:
            loss_of: from logits and labels to a scalar.
            outputs: what `forward` gave.
            labels: N×1×(D×)H×W. For a head they are the values in the middle of the pixels that it has merged.
        """
        logits, *coarser = outputs
        own = whole = loss_of(logits.float(), labels)
        for weight, y in zip(self.weights, coarser, strict=True):
            fitting = F.interpolate(padded(labels, y.dim() - 2, self.step), y.shape[2:], mode="nearest-exact")
            whole = whole + weight * loss_of(y.float(), fitting)
        return own, whole

"""Losses by name: one logit a pixel (sigmoid), or background and classes (softmax)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from multiresunet.data.dataset import IGNORED
from multiresunet.registries import LOSSES

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_by_name(name: str, outputs: int, *, ignores: bool = False) -> Loss:
    """A function from logits N×outputs×(D×)H×W and labels N×1×(D×)H×W (float32, 0 is background) to a scalar.

    The value is a mean over images, so that of a batch is the mean of its parts, weighted by their size.

    Args:
        name: of `LOSSES`.
        outputs: 1, or the number of classes with the background.
        ignores: whether labels may be `IGNORED`: such pixels are left out.

    Raises:
        UserError: there is no loss of this name.
    """
    make: Callable[[int], Loss] = LOSSES[name]
    loss = make(outputs)
    return _of_known(loss) if ignores else loss


@LOSSES.register("bce")
def cross_entropy(outputs: int) -> Loss:
    """Cross-entropy, binary for one output (as in the paper) and categorical for more."""
    del outputs  # the logits have as many
    return _cross_entropy


@LOSSES.register("dice")
def dice(outputs: int) -> Loss:
    """Soft Dice loss (Milletari 2016) of the classes without the background, for each image."""
    from monai.losses.dice import DiceLoss  # here, since it takes seconds and the paper's recipe has no use for it

    # The warnings of a single channel are avoided: there is no background channel to leave out.
    loss = DiceLoss(sigmoid=True) if outputs == 1 else DiceLoss(softmax=True, include_background=False)
    return lambda logits, labels: loss(logits, _targets(logits, labels))


@LOSSES.register("dice_bce")
def dice_and_cross_entropy(outputs: int) -> Loss:
    """Half of each."""
    overlap = dice(outputs)
    return lambda logits, labels: 0.5 * overlap(logits, labels) + 0.5 * _cross_entropy(logits, labels)


def _of_known(loss: Loss) -> Loss:
    """The loss of each image's known pixels, in a row: as if it had no others; 0 of an image without any."""

    def of_known(logits: Tensor, labels: Tensor) -> Tensor:
        parts = []
        for one, own in zip(logits, labels, strict=True):
            known = own[0] != IGNORED
            parts.append(loss(one[None, :, known], own[None, :, known]) if known.any() else one.sum() * 0)
        return torch.stack(parts).mean()

    return of_known


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, labels)
    # With class indices instead CUDA has no deterministic gradient.
    return F.cross_entropy(logits, _targets(logits, labels))


def _targets(logits: Tensor, labels: Tensor) -> Tensor:
    """Labels as one channel for each output."""
    if logits.shape[1] == 1:
        return labels
    classes = torch.arange(logits.shape[1], device=labels.device).view(-1, *[1] * (labels.dim() - 2))
    return (labels == classes).to(logits.dtype)

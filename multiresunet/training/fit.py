"""Train one network on one split, and score it on the other after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from multiresunet.data.arrays import Prepared
from multiresunet.errors import UserError
from multiresunet.evaluation.overlap import overlaps
from multiresunet.nets import NetworkSpec, UShape, build, set_normalisation_momentum
from multiresunet.params import Recipe
from multiresunet.seeds import generator_for

Indices = NDArray[np.int64]
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Epoch:
    """One line of the history; epochs count from 1."""

    epoch: int
    train_loss: float
    test_loss: float
    test_jaccard: float


@dataclass
class Fit:
    """What training leaves: the weights after the last epoch, and those of the best epoch on the test images."""

    history: list[Epoch] = field(default_factory=list)
    last: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)

    @property
    def best_jaccard(self) -> float:
        """The paper's score: that of the best epoch on the test images."""
        return max(line.test_jaccard for line in self.history)


def use_threads(threads: int) -> torch.device:
    """Make results repeatable: fix the number of CPU threads and the algorithms; return the device to use."""
    torch.set_num_threads(threads)
    # As use_deterministic_algorithms(True), which imports torch's compiler too: two seconds of every stage.
    torch.set_deterministic_debug_mode("error")
    # Costs time, and nothing here reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set dynamically
    torch.backends.cudnn.benchmark = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    spec: NetworkSpec,
    data: Prepared,
    train: Indices,
    test: Indices,
    recipe: Recipe,
    *,
    epochs: int,
    threshold: float,
    seed: int,
    names: tuple[str | int, ...],
    device: torch.device,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Fit:
    """Train a network from scratch.

    Args:
        spec: the network.
        data: the prepared data set.
        train, test: indices into it; the test images choose nothing but which epoch is called best.
        recipe: batch, loss, optimiser, normalisation.
        epochs: how many.
        threshold: of the probability, for the Jaccard index.
        seed, names: initial weights and the order of the images depend on these alone.
        device: where to compute.
        on_epoch: called after each epoch.
    """
    network = build(spec, generator_for(seed, *names, "weights")).to(device)
    network.to(memory_format=layout_of(data))  # type: ignore[call-overload]  # documented, but not typed
    set_normalisation_momentum(network, recipe.normalisation_momentum)
    optimiser = torch.optim.Adam(
        (p for p in network.parameters() if p.requires_grad),
        lr=recipe.optimiser.learning_rate,
        eps=recipe.optimiser.epsilon,
        fused=True,
    )
    result = Fit()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(train), generator=generator_for(seed, *names, "order", epoch)).numpy()
        network.train()
        losses = torch.zeros((), dtype=torch.float64, device=device)
        for batch in batches(train[order], recipe.batch):
            images, masks = _on(device, data, batch)
            loss = F.binary_cross_entropy_with_logits(network(images), masks)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses += loss.detach().double() * len(images)
        test_loss, jaccard, _ = score(network, data, test, recipe.batch, threshold, device)
        line = Epoch(epoch, losses.item() / len(train), test_loss, float(jaccard.mean()))
        if not result.history or line.test_jaccard > result.best_jaccard:
            result.best = _copied(network)
        result.history.append(line)
        on_epoch(line)
    result.last = _copied(network)
    return result


def layout_of(data: Prepared) -> torch.memory_format:
    """Channels last: what convolutions run fastest on."""
    return torch.channels_last if data.dims == 2 else torch.channels_last_3d


def batches(indices: Indices, size: int) -> list[Indices]:
    """Cut into batches of `size`; the last may be smaller, but a lone image joins the batch before it.

    Statistics of one image whose deepest level is a single pixel aren't defined.

    Raises:
        UserError: if there is only one image in all.
    """
    if len(indices) < 2:
        raise UserError(f"training needs at least two images, there is {len(indices)}; add data, or lower folds.count")
    starts = list(range(0, len(indices), size))
    if len(indices) - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    return np.split(indices, starts[1:])


def score(
    network: UShape, data: Prepared, indices: Indices, batch: int, threshold: float, device: torch.device
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss, and each image's Jaccard index and Dice coefficient, in inference mode."""
    network.eval()
    loss = 0.0
    scores = []
    with torch.no_grad():
        for start in range(0, len(indices), batch):
            images, masks = _on(device, data, indices[start : start + batch])
            logits = network(images)
            loss += F.binary_cross_entropy_with_logits(logits, masks).item() * len(images)
            scores.append(torch.stack(overlaps(torch.sigmoid(logits) >= threshold, masks > 0.5)))
    jaccard, dice = torch.cat(scores, dim=1).cpu().numpy()
    return loss / len(indices), jaccard, dice


def predict(network: UShape, data: Prepared, indices: Indices, batch: int, device: torch.device) -> NDArray[np.float32]:
    """Foreground probability of each pixel: len(indices)×(D×)H×W."""
    network.eval()
    with torch.no_grad():
        parts = [
            torch.sigmoid(network(_on(device, data, indices[start : start + batch])[0]))[:, 0].cpu().numpy()
            for start in range(0, len(indices), batch)
        ]
    return np.concatenate(parts)


def _on(device: torch.device, data: Prepared, indices: Indices) -> tuple[Tensor, Tensor]:
    images, masks = (torch.from_numpy(array).to(device) for array in data.batch(indices))
    return images.to(memory_format=layout_of(data)), masks


def _copied(network: UShape) -> Weights:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def cross_validated(
    network_of: Callable[[int], UShape], data: Prepared, batch: int, device: torch.device
) -> NDArray[np.float32]:
    """Each sample's foreground probabilities from the network that hasn't seen it: N×(D×)H×W.

    Args:
        network_of: from a fold to the network that was trained without it.
        data: the prepared data set.
        batch: images at a time.
        device: where to compute.
    """
    predicted = np.empty(data.masks.shape, dtype=np.float32)
    for fold in np.unique(data.folds):
        _, test = data.split(int(fold))
        predicted[test] = predict(network_of(int(fold)).to(device), data, test, batch, device)
    return predicted

"""The training loop of one network: steps, epochs, and the state between any two of them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from multiresunet.config import Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.nets import External, NetworkSpec, build_network, set_normalisation_momentum
from multiresunet.seeds import generator_for, seed_for
from multiresunet.training.augmentation import augment
from multiresunet.training.devices import Devices, synchronised
from multiresunet.training.loader import Indices, Loader, batches
from multiresunet.training.losses import loss_by_name
from multiresunet.training.onednn import made_safe
from multiresunet.training.optimisers import average_of, optimiser_of, schedule_of
from multiresunet.training.supervision import Supervised
from multiresunet.training.validation import validate

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
    """What training leaves: the weights after the last epoch, and those of the best epoch on the test images.

    `seconds`: what each epoch took, with its scoring.
    """

    history: list[Epoch] = field(default_factory=list)
    last: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_jaccard(self) -> float:
        """The paper's score: that of the best epoch on the test images."""
        return max(line.test_jaccard for line in self.history)


class Trainer:
    """One network on its way through the epochs; `epoch` (from 1) and `step` (steps done in it) say where it is."""

    def __init__(
        self,
        spec: NetworkSpec,
        data: PreparedDataset,
        train: Indices,
        test: Indices,
        recipe: Recipe,
        epochs: int,
        threshold: float,
        seed: int,
        names: tuple[str | int, ...],
        devices: Devices,
    ) -> None:
        self.devices = devices
        self.loader = Loader(data, devices.device)
        self.network = build_network(spec, generator_for(seed, *names, "weights")).to(devices.device)
        self.network.to(memory_format=self.loader.layout)  # type: ignore[call-overload]  # documented, but not typed
        self.network = made_safe(synchronised(self.network, devices), devices.device)
        set_normalisation_momentum(self.network, recipe.normalisation_momentum)
        self.loss = loss_by_name(recipe.loss, spec.classes)
        weights = recipe.deep_supervision.weights if recipe.deep_supervision else []
        self.supervised = Supervised(self.network, spec.classes, weights, generator_for(seed, *names, "heads"))
        self.supervised.to(devices.device)
        self.optimiser = optimiser_of(self.supervised, recipe.optimiser)
        steps = len(batches(train, recipe.batch))
        self.schedule = schedule_of(self.optimiser, recipe.schedule, epochs, steps)
        self.average = average_of(self.network, recipe.ema)
        self.learner = devices.setup_module(self.supervised)  # the same weights, with gradients from all devices
        self.losses = torch.zeros((), dtype=torch.float64, device=devices.device)
        self.epoch, self.step = 1, 0
        self.result = Fit()
        self._train, self._test, self._recipe, self._threshold = train, test, recipe, threshold
        self._seed, self._names, self._epochs = seed, names, epochs
        self._since = time.perf_counter()
        self._seconds = 0.0  # of this epoch, before it was broken off

    @property
    def place(self) -> str:
        """Where training is, in words."""
        return f"{' '.join(map(str, self._names))}: epoch {self.epoch}, step {self.step}"

    @property
    def scored(self) -> nn.Module:
        """The network whose weights count: the averaged one, where the recipe averages."""
        return self.network if self.average is None else self.average.module

    def steps(self) -> Iterator[None]:
        """Train on what is left of the epoch, and pause after each step; the host waits for nothing."""
        order = torch.randperm(len(self._train), generator=generator_for(self._seed, *self._names, "order", self.epoch))
        left = batches(self._train[order.numpy()], self._recipe.batch)[self.step :]
        rank, world = self.devices.global_rank, self.devices.world_size
        if min(map(len, left), default=world) < world:
            raise UserError(
                f"{self.place}: a batch of {min(map(len, left))} images can't be shared by {world} devices; "
                "lower machine.devices, or choose another batch in the recipe"
            )
        mine = slice(rank, None, world)
        self.network.train()
        for batch, (images, labels) in zip(left, self.loader([batch[mine] for batch in left]), strict=True):
            if self._recipe.augment is not None:
                where = (*self._names, "augment", self.epoch, self.step)
                images, labels = augment(
                    images, labels, self._recipe.augment, self._seed, *where, of=len(batch), mine=mine
                )
                images = images.contiguous(memory_format=self.loader.layout)
            if isinstance(self.network, External):  # may drop out, from global randomness
                torch.manual_seed(seed_for(self._seed, *self._names, "network", self.epoch, self.step))
            with autocast(self._recipe, images.device):
                outputs = self.learner(images)
            loss, whole = self.supervised.losses(self.loss, outputs, labels)
            self.optimiser.zero_grad(set_to_none=True)
            # The devices' gradients are averaged; shares of a batch may differ by an image.
            self.devices.backward(whole * (len(images) * world / len(batch)))
            self.optimiser.step()
            self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
            self.losses += loss.detach().double() * len(images)
            self.step += 1
            yield

    def end_epoch(self) -> Epoch:
        """Score the epoch, remember its weights if they are the best, and move to the next.

        Raises:
            FloatingPointError: if a loss isn't finite.
        """
        recipe, result = self._recipe, self.result
        with autocast(recipe, self.losses.device):
            test_loss, jaccard, _ = validate(
                self.scored, self.loader, self._test, recipe.batch, self._threshold, self.loss
            )
        losses = self.devices.all_reduce(self.losses, reduce_op="sum")
        line = Epoch(self.epoch, losses.item() / len(self._train), test_loss, float(jaccard.mean()))
        if not math.isfinite(line.train_loss) or not math.isfinite(line.test_loss):
            raise FloatingPointError
        if not result.history or line.test_jaccard > result.best_jaccard:
            result.best = _copied(self.scored)
        result.history.append(line)
        result.seconds.append(self._seconds + time.perf_counter() - self._since)
        self._since, self._seconds = time.perf_counter(), 0.0
        self.epoch, self.step = self.epoch + 1, 0
        self.losses.zero_()
        if self.epoch > self._epochs:
            result.last = _copied(self.scored)
        return line

    def check(self) -> None:
        """See that what would be saved is worth it.

        Raises:
            FloatingPointError: if the loss or a weight isn't finite.
        """
        weights = [tensor.isfinite().all() for tensor in self.network.state_dict().values()]
        if not torch.stack([*weights, self.losses.isfinite()]).all():
            raise FloatingPointError

    def state(self) -> dict[str, Any]:
        """All that is needed to go on from here: tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "heads": self.supervised.heads.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "losses": self.losses,
            "names": list(self._names),
            "epoch": self.epoch,
            "step": self.step,
            "history": [astuple(line) for line in self.result.history],
            "seconds": [*self.result.seconds, self._seconds + time.perf_counter() - self._since],
            "best": self.result.best,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Be where `state` was taken."""
        self.network.load_state_dict(state["network"])
        self.supervised.heads.load_state_dict(state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.losses.copy_(state["losses"])
        self.epoch, self.step = state["epoch"], state["step"]
        *seconds, self._seconds = state["seconds"]
        self.result = Fit([Epoch(*line) for line in state["history"]], best=state["best"], seconds=seconds)
        if self.epoch > self._epochs:
            self.result.last = _copied(self.scored)


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """What the recipe's precision means; in bfloat16 weights, normalisation statistics and losses stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")


def _copied(network: nn.Module) -> Weights:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

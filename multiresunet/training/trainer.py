"""The training loop of one network: steps, epochs, and the state between any two of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multiresunet.config import Recipe
from multiresunet.errors import UserError
from multiresunet.nets import External, NetworkSpec, UShape, build_network, set_normalisation_momentum
from multiresunet.nets.aligned import Alignment, align
from multiresunet.seeds import generator_for, seed_for
from multiresunet.training.augmentation import Part, augment
from multiresunet.training.course import Course
from multiresunet.training.job import TrainJob
from multiresunet.training.loader import Arrays, Indices, Loader
from multiresunet.training.losses import loss_by_name
from multiresunet.training.onednn import made_safe
from multiresunet.training.optimisers import Average, optimiser_of, schedule_of
from multiresunet.training.patches import PatchSampler
from multiresunet.training.result import Epoch, Fit, Weights, copied
from multiresunet.training.supervision import Supervised
from multiresunet.training.synchronised import synchronised
from multiresunet.training.validation import validate

ALIGNED = ("cuda",)  # kinds of device whose matrix units take channels by eights


class Trainer:
    """One network on its way through the epochs; `epoch` (from 1) and `step` (steps done in it) say where it is."""

    def __init__(self, job: TrainJob) -> None:
        self.job = job
        spec, recipe, device = job.spec, job.recipe, job.devices.device
        self.loader = Loader(job.data, device)
        self.patches = PatchSampler(job.data, job.own_seed) if job.data.window else None
        self.network = build_network(spec, generator_for(job.own_seed, "weights")).to(device)
        self.alignment = aligned(self.network, spec, recipe, device)
        self.network.to(memory_format=self.loader.layout)  # type: ignore[call-overload]  # documented, but not typed
        self.network = made_safe(synchronised(self.network, job.devices), device)
        set_normalisation_momentum(self.network, recipe.normalisation_momentum)
        self.loss = loss_by_name(recipe.loss, spec.classes, ignores=job.data.ignores or job.data.pads)
        weights = recipe.deep_supervision.weights if recipe.deep_supervision else []
        heads = generator_for(job.own_seed, "heads")
        self.supervised = Supervised(self.network, spec.classes, weights, heads).to(device)
        self.optimiser = optimiser_of(self.supervised, recipe.optimiser)
        self.course = Course(job.pool, recipe, job.own_seed)
        warm_up = self.course.steps(min(recipe.schedule.warm_up_epochs or 0, job.epochs - 1))
        self.schedule = schedule_of(self.optimiser, recipe.schedule, warm_up, self.course.steps(job.epochs))
        self.average = None if recipe.ema is None else Average(self.network, recipe.ema)
        networks = [self.network] if self.average is None else [self.network, self.average.module]
        kept = [tensor for network in networks for tensor in network.state_dict(keep_vars=True).values()]
        self._saved = [tensor for tensor in kept if tensor.is_floating_point()]
        self.learner = job.devices.setup_module(self.supervised)  # the same weights, with gradients from all devices
        self.losses = torch.zeros((), dtype=torch.float64, device=device)
        self.epoch, self.step = 1, 0
        self._batches: list[Indices] = []  # of this epoch
        self.result = Fit()
        self._since = time.perf_counter()
        self._seconds = 0.0  # of this epoch, before it was interrupted

    @property
    def place(self) -> str:
        """Where training is, in words."""
        return f"{' '.join(map(str, self.job.names))}: epoch {self.epoch}, step {self.step}"

    @property
    def validated(self) -> nn.Module:
        """The network whose weights count: the averaged one, where the recipe averages."""
        return self.network if self.average is None else self.average.module

    def steps(self) -> Iterator[None]:
        """Train on what is left of the epoch, and pause after each step; the host waits for nothing.

        Raises:
            UserError: if a batch has fewer images than there are devices.
        """
        job, devices = self.job, self.job.devices
        self._batches = self.course.batches_of(self.epoch)
        left = self._batches[self.step :]
        rank, world = devices.global_rank, devices.world_size
        if min(map(len, left), default=world) < world:
            raise UserError(
                f"{self.place}: a batch of {min(map(len, left))} images can't be shared by {world} devices; "
                "lower machine.devices, or choose another batch in the recipe"
            )
        own = slice(rank, None, world)
        self.network.train()
        for batch, (images, labels) in zip(
            left, self.loader([batch[own] for batch in left], self._drawn(own)), strict=True
        ):
            images, labels = self._augmented(images, labels, Part(len(batch), own))
            if isinstance(self.network, External):  # may drop out, from global randomness
                torch.manual_seed(seed_for(job.own_seed, "network", self.epoch, self.step))
            with autocast(job.recipe, images.device):
                outputs = self.learner(images)
            loss, whole = self.supervised.losses(self.loss, outputs, labels)
            self.optimiser.zero_grad(set_to_none=True)
            # The devices' gradients are averaged; shares of a batch may differ by an image.
            devices.backward(whole * (len(images) * world / len(batch)))
            self.optimiser.step()
            self.schedule.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
            self.losses += loss.detach().double() * len(images)
            self.step += 1
            yield

    def _drawn(self, own: slice) -> Callable[[int, Indices], Arrays] | None:
        """How patches are cut for the batches that are left of the epoch, where images keep their sizes."""
        if self.patches is None:
            return None
        sampler, epoch, first = self.patches, self.epoch, self.step
        return lambda number, indices: sampler.draw(
            indices, (epoch, first + number), np.arange(own.start, own.start + own.step * len(indices), own.step)
        )

    def _augmented(self, images: Tensor, labels: Tensor, part: Part) -> tuple[Tensor, Tensor]:
        job = self.job
        if job.recipe.augment is None:
            return images, labels
        names = ("augment", self.epoch, self.step)
        images, labels = augment(images, labels, job.recipe.augment, job.own_seed, names, part)
        return images.contiguous(memory_format=self.loader.layout), labels

    def end_epoch(self) -> Epoch:
        """Validate the network, copy its weights if they are the best, and move to the next epoch.

        Raises:
            FloatingPointError: if a loss or a weight isn't finite.
        """
        job, result = self.job, self.result
        losses = job.devices.all_reduce(self.losses, reduce_op="sum")
        mean = losses.item() / sum(map(len, self._batches))
        line = Epoch(self.epoch, mean, *self._tested(), self.course.steps(self.epoch))
        if not math.isfinite(line.train_loss) or (self._is_tested and not math.isfinite(line.test_loss)):
            raise FloatingPointError
        self.check()  # the last step's loss is of the weights before it
        if not result.history or (self._is_tested and not line.test_jaccard <= result.best_jaccard):
            result.best = self._weights()
        result.history.append(line)
        result.seconds.append(self._seconds + time.perf_counter() - self._since)
        self._since, self._seconds = time.perf_counter(), 0.0
        self.epoch, self.step = self.epoch + 1, 0
        self.losses.zero_()
        if self.epoch > job.epochs:
            result.last = self._weights()
        return line

    @property
    def _is_tested(self) -> bool:
        """Whether this epoch ends with a validation."""
        return len(self.job.test) > 0 and (self.job.curve or self.epoch == self.job.epochs)

    def _tested(self) -> tuple[float, float]:
        """Loss and mean Jaccard index on the test images; NaN if there are none, or none are wanted yet."""
        job = self.job
        if not self._is_tested:
            return math.nan, math.nan
        with autocast(job.recipe, self.losses.device):
            loss, jaccard, _ = validate(
                self.validated, self.loader, job.test, job.recipe.batch, job.threshold, self.loss
            )
        return loss, float(jaccard.mean())

    def _weights(self) -> Weights:
        """The weights that count, without the zeros between them."""
        return self.alignment.own(copied(self.validated))

    def check(self) -> None:
        """Check that what would be saved is usable.

        Raises:
            FloatingPointError: if the loss or a weight isn't finite.
        """
        # A sum is finite only if all that is summed is, and takes a tenth of the time of a look at each number.
        sums = [tensor.detach().sum(dtype=torch.promote_types(tensor.dtype, torch.float32)) for tensor in self._saved]
        if not torch.stack([*sums, self.losses]).isfinite().all():
            raise FloatingPointError

    def state(self) -> dict[str, Any]:
        """All that is needed to resume from here: tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "heads": self.supervised.heads.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "losses": self.losses,
            "names": list(self.job.names),
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
        if self.epoch > self.job.epochs:
            self.result.last = self._weights()


def aligned(network: nn.Module, spec: NetworkSpec, recipe: Recipe, device: torch.device) -> Alignment:
    """Widen a network where that makes it faster: on a GPU; the heads of deep supervision need it as it is."""
    if device.type not in ALIGNED or not isinstance(network, UShape) or recipe.deep_supervision:
        return Alignment()
    return align(network, spec.in_channels, 8)


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """What the recipe's precision means; in bfloat16 weights, normalisation statistics and losses stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")

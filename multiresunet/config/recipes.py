"""Section `recipes`: how a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from multiresunet.arithmetic import Arithmetic
from multiresunet.config.base import Probability, Share, Side, Strict, registered
from multiresunet.paper import FILTERS, LEVELS
from multiresunet.registries import LOSSES


class Folds(Strict):
    """K-fold cross-validation over images or over groups.

    stratify: spread the samples over the folds by their foreground share, in this many quantiles; not if absent.
    """

    count: Annotated[int, Field(ge=2)]
    by: Literal["image", "group"]
    stratify: Annotated[int, Field(ge=2)] | None = None


class Optimiser(Strict):
    """Adam, or AdamW with a decay of the kernels. Keras' epsilon is 1e-7, PyTorch's 1e-8."""

    name: Literal["adam", "adamw"]
    learning_rate: PositiveFloat
    epsilon: PositiveFloat
    weight_decay: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _decay_where_it_means_something(self) -> Self:
        if (self.name == "adamw") != (self.weight_decay is not None):
            raise ValueError(
                "adamw needs weight_decay; add it"
                if self.weight_decay is None
                else f"adam has no weight_decay; remove weight_decay = {self.weight_decay}, or use adamw"
            )
        return self


class Schedule(Strict):
    """The learning rate's course: constant; or a linear rise, then half a cosine down to `final` of it."""

    name: Literal["constant", "cosine"]
    warm_up_epochs: NonNegativeInt | None = None
    final: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _numbers_where_they_mean_something(self) -> Self:
        for key, value in (("warm_up_epochs", self.warm_up_epochs), ("final", self.final)):
            if self.name == "cosine" and value is None:
                raise ValueError(f"cosine needs {key}; add it")
            if self.name == "constant" and value is not None:
                raise ValueError(f"constant has no {key}; remove {key} = {value}")
        return self


class Affine(Strict):
    """Rotation by up to ±degrees, zoom by up to 1 ± scale, shift by up to ±shift of each side."""

    probability: Probability
    degrees: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    shift: Annotated[float, Field(ge=0, lt=1)]


class Strength(Strict):
    """How often, and up to how much in units of the image's own standard deviation."""

    probability: Probability
    strength: NonNegativeFloat


class Augment(Strict):
    """What training images go through, with the chance for each image; null leaves a part out.

    flip: along each axis. turn: by a quarter to three, in a plane with equal sides; by two in any other.
    """

    flip: Probability
    turn: Probability
    affine: Affine | None
    brightness: Strength | None
    contrast: Strength | None
    noise: Strength | None


class DeepSupervision(Strict):
    """Losses of coarser decoders, beside the network's own, which counts 1: at half the size, a quarter, an eighth."""

    weights: Annotated[list[NonNegativeFloat], Field(min_length=1, max_length=LEVELS - 1)]


EPOCHS_OF_UPDATES = 20  # into how many epochs a training by updates is cut: points of the learning curve


class Recipe(Strict):
    """How a network is trained, for so many `updates` (steps of the optimiser) or `epochs` (passes over the images)."""

    folds: Folds
    longest_side: Side | None
    filters: Annotated[int, Field(ge=2)] | None
    updates: PositiveInt | None = None
    epochs: PositiveInt | None = None
    batch: PositiveInt
    loss: Annotated[str, registered(LOSSES)]
    deep_supervision: DeepSupervision | None
    optimiser: Optimiser
    schedule: Schedule
    ema: Share | None
    augment: Augment | None
    normalisation_momentum: Annotated[float, Field(gt=0, le=1)]
    precision: Literal["float32", "bfloat16"]
    deterministic: bool
    threads: PositiveInt
    arithmetic: Arithmetic

    def width(self, filters: int) -> int:
        """U of a model that has `filters` at full size: in proportion to what this recipe has for 32."""
        return max(2, round(filters * self.filters / FILTERS)) if self.filters else filters

    @property
    def epoch_count(self) -> int:
        """How many epochs there are; of a training by updates each is an equal part of them."""
        return self.epochs or min(EPOCHS_OF_UPDATES, self.updates or 1)

    @model_validator(mode="after")
    def _updates_or_epochs(self) -> Self:
        if (self.updates is None) == (self.epochs is None):
            both = f"updates = {self.updates} and epochs = {self.epochs}; remove one"
            raise ValueError("needs updates, or epochs; add one" if self.updates is None else both)
        return self

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if (self.schedule.warm_up_epochs or 0) >= self.epoch_count:
            warm_up = f"schedule.warm_up_epochs = {self.schedule.warm_up_epochs}"
            raise ValueError(f"{warm_up} must be fewer than epochs = {self.epoch_count}")
        return self

"""Section `tune`: search space, budget and rule of choice of the Optuna studies."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from multiresunet.config.base import Share, Strict
from multiresunet.paper import SUM_SLACK, Shares

PRUNED_FROM = 50  # trials; a first score is a draw among many, and few have nothing to be compared with
Number = TypeVar("Number", float, int)


class Span(Strict, Generic[Number]):
    """Where a number of a search lies: from `low` to `high`, evenly in its logarithm if `log`; or one of `choices`."""

    low: Number | None = None
    high: Number | None = None
    log: bool = False
    choices: Annotated[list[Number], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_form_and_not_empty(self) -> Self:
        ends: list[Number] = [end for end in (self.low, self.high) if end is not None]
        if len(ends) != (2 if self.choices is None else 0) or (self.log and self.choices is not None):
            raise ValueError("needs either low and high (with log: true if ratios count), or choices")
        for value in (*ends, *(self.choices or ())):
            if value <= 0:
                raise ValueError(f"{value} must be greater than 0")
        if self.low is not None and self.high is not None and self.high <= self.low:
            raise ValueError(f"high ({self.high}) must be greater than low ({self.low}); the range is empty")
        return self

    @property
    def least(self) -> Number:
        """The smallest number in it."""
        values: list[Number] = self.choices or [self.low]  # type: ignore[list-item]  # validated: one is there
        return min(values)


Three = Annotated[list[Share], Field(min_length=3, max_length=3)]


class SharesSpan(Strict):
    """Where the shares of W of a MultiRes block's three convolutions lie: between two triples, or one of `choices`."""

    low: Three | None = None
    high: Three | None = None
    choices: Annotated[list[Three], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_form_and_not_empty(self) -> Self:
        if (self.low is None) != (self.high is None) or (self.low is None) == (self.choices is None):
            raise ValueError("needs either low and high, or choices; each of three shares")
        for low, high in zip(self.low or (), self.high or (), strict=True):
            if high <= low:
                raise ValueError(f"high ({high}) must be greater than low ({low}); the range is empty")
        for triple in (self.low, *(self.choices or ())):
            if triple is not None and sum(triple) > 1 + SUM_SLACK:
                raise ValueError(f"the shares {triple} sum to more than 1")
        return self

    @property
    def least(self) -> Shares:
        """The smallest value of each share."""
        first, second, third = map(min, zip(*([self.low] if self.low else self.choices or []), strict=True))
        return first, second, third


class Space(Strict):
    """What a study varies; null is not varied. `filters_factor` is of the model's filters, as the recipe caps them."""

    alpha: Span[float] | None
    filters_factor: Span[float] | None
    shares: SharesSpan | None
    respath: Span[int] | None
    learning_rate: Span[float] | None
    batch: Span[int] | None

    @model_validator(mode="after")
    def _not_all_null(self) -> Self:
        if all(getattr(self, key) is None for key in type(self).model_fields):
            raise ValueError(f"varies nothing; give at least one of {', '.join(type(self).model_fields)} a range")
        return self


class MedianPruning(Strict):
    """Stop a trial whose score after an inner epoch is below the median of the trials before it."""

    rule: Literal["median"]
    first_epoch: PositiveInt
    startup: NonNegativeInt


class HyperbandPruning(Strict):
    """Successive halving (Li et al. 2018): of `factor` trials one goes on to `factor` times the epochs."""

    rule: Literal["hyperband"]
    first_epoch: PositiveInt
    factor: Annotated[int, Field(ge=2)]


class Select(Strict):
    """When a trial takes the place of the model's own values.

    standard_errors: of its mean lead over them, on the same splits; the lead must be greater than so many.
    budget: times the own values' multiply-adds and parameters that it may have; any if null.
    """

    standard_errors: Annotated[float, Field(ge=0)]
    budget: PositiveFloat | None


class Tune(Strict):
    """Search space, budget and rule of choice of the Optuna studies."""

    scope: Literal["nested", "shared"]
    trials: PositiveInt
    startup: NonNegativeInt
    minutes: PositiveFloat | None
    splits: Annotated[int, Field(ge=2)]
    validation_share: Share
    objectives: Literal["jaccard", "jaccard and cost"]
    pruning: Annotated[MedianPruning | HyperbandPruning, Field(discriminator="rule")] | None
    space: Space
    select: Select

    @model_validator(mode="after")
    def _pruning_has_something_to_compare_with(self) -> Self:
        if self.pruning is not None and self.trials < PRUNED_FROM:
            raise ValueError(
                f"pruning with trials = {self.trials} stops what only chance has put behind; set it to null, or give "
                f"{PRUNED_FROM} trials"
            )
        return self

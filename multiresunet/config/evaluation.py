"""Section `evaluate`: how predictions are measured and compared."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from multiresunet.config.base import Name, Share, Strict, registered
from multiresunet.registries import PERTURBATIONS

ClaimName = Literal["epochs", "low_contrast", "perturbations", "outliers", "overlap", "regions", "edges"]
SEVERITIES = 5
OTHERS = "others"
Amounts = Annotated[list[float], Field(min_length=SEVERITIES, max_length=SEVERITIES)]
Severity = Annotated[int, Field(ge=1, le=SEVERITIES)]


class Statistics(Strict):
    """How sure the statements are, and how many random samples they take."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: Share


class EpochsClaim(Strict):
    """Fewer epochs."""

    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    decisive: float

    @model_validator(mode="after")
    def _decisive_is_a_share(self) -> Self:
        if self.decisive not in self.shares:
            raise ValueError(f"decisive ({self.decisive}) must be one of shares {self.shares}")
        return self


class LowContrastClaim(Strict):
    """Low-contrast boundaries; lengths in pixels."""

    tile: PositiveInt
    reach: PositiveInt
    lowest_share: Share
    cap: PositiveFloat


class OutliersClaim(Strict):
    """Outliers."""

    tail: Share
    failure: Share


class Perturbed(Strict):
    """How much of the perturbations a recipe pays for."""

    images: PositiveInt
    severities: Annotated[list[Severity], Field(min_length=1)]


class Verdict(Strict):
    """The rule from numbers to words; params.yaml says it."""

    level: Share
    units: PositiveInt
    folds: Annotated[int, Field(ge=2)]
    seeds: PositiveInt
    folds_agree: Annotated[float, Field(ge=0, le=1)]
    above_baselines: Annotated[float, Field(ge=0, lt=1)]
    min_effect: dict[ClaimName, PositiveFloat]

    @model_validator(mode="after")
    def _every_claim_has_its_min_effect(self) -> Self:
        if absent := set(get_args(ClaimName)) - set(self.min_effect):
            raise ValueError(f"min_effect has no {', '.join(sorted(absent))}; add it")
        return self


class Evaluate(Strict):
    """How predictions are scored and compared."""

    threshold: Share
    tolerances: Annotated[list[PositiveFloat], Field(min_length=1)]
    references: list[Name]
    confirmatory: Annotated[list[Name], Field(max_length=2)]
    statistics: Statistics
    epochs: EpochsClaim
    low_contrast: LowContrastClaim
    outliers: OutliersClaim
    perturbations: dict[Annotated[str, registered(PERTURBATIONS)], Amounts]
    perturbed: dict[str, Perturbed]
    verdict: Verdict

    @model_validator(mode="after")
    def _others_are_perturbed_somehow(self) -> Self:
        if OTHERS not in self.perturbed:
            raise ValueError(f"perturbed has no entry {OTHERS!r}, for recipes that it doesn't name; add it")
        return self

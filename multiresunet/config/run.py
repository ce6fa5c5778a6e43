"""Section `run`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeInt, model_validator

from multiresunet.config.base import Name, Strict
from multiresunet.errors import UserError


class Tuned(Strict):
    """Which models are tuned, on which data sets: each of these on each of those, beside themselves untuned."""

    datasets: list[Name]
    models: list[Name]


class Run(Strict):
    """What one commit's tables contain.

    seeds: each model is trained once with each of them: other initial weights, and another order of the images.
    """

    datasets: Annotated[list[Name], Field(min_length=1)]
    models: Annotated[list[Name], Field(min_length=1)]
    recipe: str
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]
    tuned: Tuned

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        for key, names in (
            ("datasets", self.datasets),
            ("models", self.models),
            ("seeds", self.seeds),
            ("tuned.datasets", self.tuned.datasets),
            ("tuned.models", self.tuned.models),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names something twice: {', '.join(map(str, names))}")
        for key, tuned, run in (
            ("datasets", self.tuned.datasets, self.datasets),
            ("models", self.tuned.models, self.models),
        ):
            if missing := [name for name in tuned if name not in run]:
                raise ValueError(
                    f"tuned.{key} names {', '.join(missing)}, which {key} doesn't; remove it, or add it there"
                )
        return self

    def seed(self, wanted: int | None) -> int:
        """One of the seeds; the first, if none is wanted.

        Raises:
            UserError: it isn't among them.
        """
        if wanted is None:
            return self.seeds[0]
        if wanted not in self.seeds:
            raise UserError(f"seed {wanted} isn't in run.seeds of params.yaml: {', '.join(map(str, self.seeds))}")
        return wanted

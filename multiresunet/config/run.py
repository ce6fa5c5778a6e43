"""Section `run`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeInt, model_validator

from multiresunet.config.base import Name, Strict
from multiresunet.errors import UserError


class Run(Strict):
    """What one commit's tables contain.

    seeds: each model is trained once with each of them: other initial weights, and another order of the images.
    """

    datasets: Annotated[list[Name], Field(min_length=1)]
    models: Annotated[list[Name], Field(min_length=1)]
    recipe: str
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        for key, names in (("datasets", self.datasets), ("models", self.models), ("seeds", self.seeds)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names something twice: {', '.join(map(str, names))}")
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

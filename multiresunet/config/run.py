"""Section `run`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from multiresunet.config.base import Name, Strict


class Run(Strict):
    """What one commit's tables contain."""

    datasets: Annotated[list[Name], Field(min_length=1)]
    models: Annotated[list[Name], Field(min_length=1)]
    recipe: str

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        for key, names in (("datasets", self.datasets), ("models", self.models)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names something twice: {', '.join(names)}")
        return self

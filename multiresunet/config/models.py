"""Section `models`: a network and its numbers."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from multiresunet.config.base import Strict
from multiresunet.errors import did_you_mean
from multiresunet.registries import NETWORKS


def _network(name: str) -> str:
    if name not in NETWORKS and not ("." in name and all(map(str.isidentifier, name.split(".")))):
        own = f"{', '.join(NETWORKS)}{did_you_mean(name, NETWORKS)}"
        raise ValueError(f"must be one of {own}, or the import path of a class, as monai.networks.nets.UNet")
    return name


def _by_recipe(values: Any) -> Any:
    if isinstance(values, int | float):
        raise ValueError(f"must say for which recipe, as {{quick: {values}}}")
    return values


class Model(Strict):
    """A network and its two numbers, U and α; or one from elsewhere, by import path, with its arguments.

    longer: by recipe, times its updates or epochs that the model is trained for, at its own cost; else 1.
    learning_rate: by recipe, in place of the recipe's.
    In the arguments `$dims`, `$channels` and `$classes` stand for what the data set has.
    final: whether one more network is trained on all images, beside those of the folds.
    """

    network: Annotated[str, AfterValidator(_network)]
    filters: Annotated[int, Field(ge=2)] | None = None
    arguments: dict[str, Any] | None = None
    alpha: PositiveFloat | None = None
    longer: Annotated[dict[str, PositiveInt], BeforeValidator(_by_recipe)] = Field(default_factory=dict)
    learning_rate: Annotated[dict[str, PositiveFloat], BeforeValidator(_by_recipe)] = Field(default_factory=dict)
    final: bool = False

    @model_validator(mode="after")
    def _arguments_for_networks_from_elsewhere(self) -> Self:
        elsewhere = "." in self.network
        if elsewhere != (self.arguments is not None):
            raise ValueError(
                f"network {self.network} needs arguments; add them ({{}} for none)"
                if elsewhere
                else f"network {self.network} has no arguments; remove them"
            )
        if elsewhere != (self.filters is None):
            raise ValueError(
                f"network {self.network} has no filters; remove filters, or put them into arguments"
                if elsewhere
                else f"network {self.network} needs filters; add it (the paper's is 32)"
            )
        return self

    @model_validator(mode="after")
    def _alpha_where_it_means_something(self) -> Self:
        takes_alpha = "." not in self.network and "alpha" in NETWORKS.entries[self.network].facts["takes"]
        if takes_alpha != (self.alpha is not None):
            if self.alpha is None:
                raise ValueError(f"network {self.network} needs alpha; add it (the paper's is 1.67)")
            raise ValueError(f"network {self.network} has no alpha; remove alpha = {self.alpha}")
        return self

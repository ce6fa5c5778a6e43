"""The search space as Optuna's distributions, and the way from a trial's numbers to a network and its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from multiresunet.config import Recipe, SharesSpan, Space, Span
from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec
from multiresunet.paper import SUM_SLACK

Numbers = dict[str, Any]
SHARE_NAMES = ("share_3x3", "share_5x5", "share_7x7")


def own_numbers(spec: NetworkSpec, recipe: Recipe) -> Numbers:
    """The model's own values, under the names that tables and best.json use."""
    return {
        "alpha": spec.alpha,
        "filters": spec.filters,
        **dict(zip(SHARE_NAMES, spec.shares, strict=True)),
        "respath": spec.respath,
        "learning_rate": recipe.optimiser.learning_rate,
        "batch": recipe.batch,
    }


class SearchSpace:
    """What is varied around a model's own values. α and shares exist in MultiRes blocks, `respath` in ResPaths only.

    Raises:
        UserError: the own values aren't in the space.
    """

    def __init__(self, space: Space, spec: NetworkSpec, recipe: Recipe) -> None:
        self.own = own_numbers(spec, recipe)
        self.distributions: dict[str, BaseDistribution] = {}
        if space.alpha and spec.takes("alpha"):
            self.distributions["alpha"] = _distribution(space.alpha)
        if space.filters_factor:
            self.distributions["filters"] = _filters(space.filters_factor, spec.filters)
        if space.shares and spec.takes("shares"):
            self.distributions |= _shares(space.shares)
        self._least = space.shares.least if space.shares else spec.shares
        if space.respath and spec.takes("respath"):
            self.distributions["respath"] = _distribution(space.respath)
        if space.learning_rate:
            self.distributions["learning_rate"] = _distribution(space.learning_rate)
        if space.batch:
            self.distributions["batch"] = _distribution(space.batch)
        if not self.distributions:
            raise UserError(f"tune.space: varies nothing that {spec.name} has; give learning_rate a range, say")
        for name, value in self.first()[0].items():
            if not _holds(self.distributions[name], value):
                choices = isinstance(self.distributions[name], CategoricalDistribution)
                raise UserError(
                    f"tune.space: the model's own {name} = {value} isn't in it, so nothing would show whether another "
                    f"is better; {'add it to the choices' if choices else 'widen its range'}"
                )

    def suggest(self, trial: optuna.Trial) -> Numbers:
        """Ask for every number."""
        for name, distribution in self.distributions.items():
            match distribution:
                case CategoricalDistribution():
                    trial.suggest_categorical(name, distribution.choices)
                case IntDistribution():
                    trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
                case FloatDistribution():
                    trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
        return trial.params

    def numbers(self, params: Mapping[str, Any]) -> Numbers:
        """All numbers of a trial: what it varies, and the model's own for the rest.

        Three shares that sum to more than 1 are drawn back towards the least ones, each in proportion, until they sum
        to 1; so each stays in its range, and ranges that can't exceed 1 are left as they are.
        """
        numbers = self.own | dict(params)
        if "shares" in params:
            numbers |= dict(zip(SHARE_NAMES, map(float, numbers.pop("shares").split()), strict=True))
        elif SHARE_NAMES[0] in params:
            numbers |= zip(SHARE_NAMES, _within_one([params[name] for name in SHARE_NAMES], self._least), strict=True)
        return numbers

    def first(self) -> list[Numbers]:
        """The first trials' parameters: the model's own values, and then other learning rates with them.

        The rate decides more than all other numbers together, and its best value isn't the same for two networks. Of a
        list of choices each has its turn; of a range a third of the own rate and three times it, within the range.
        """
        own = self.own | {"shares": _text(self.own[name] for name in SHARE_NAMES)}
        params = {name: own[name] for name in self.distributions}
        match self.distributions.get("learning_rate"):
            case CategoricalDistribution() as choice:
                rates = list(choice.choices)
            case FloatDistribution() as span:
                rates = [min(max(factor * own["learning_rate"], span.low), span.high) for factor in (1 / 3, 3)]
            case _:
                rates = []
        others = [rate for rate in dict.fromkeys(rates) if rate != own["learning_rate"]]
        return [params, *(params | {"learning_rate": rate} for rate in others)]


def _distribution(span: Span[float] | Span[int]) -> BaseDistribution:
    if span.choices is not None:
        return CategoricalDistribution(span.choices)
    assert span.low is not None
    assert span.high is not None
    if isinstance(span.low, int) and isinstance(span.high, int):
        return IntDistribution(span.low, span.high, log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)


def _filters(factor: Span[float], filters: int) -> BaseDistribution:
    if factor.choices is not None:
        return CategoricalDistribution(sorted({max(2, round(filters * part)) for part in factor.choices}))
    assert factor.low is not None
    assert factor.high is not None
    return IntDistribution(max(2, round(filters * factor.low)), max(2, round(filters * factor.high)), log=factor.log)


def _shares(span: SharesSpan) -> dict[str, BaseDistribution]:
    if span.choices is not None:
        return {"shares": CategoricalDistribution([_text(triple) for triple in span.choices])}
    assert span.low is not None
    assert span.high is not None
    ranges = zip(SHARE_NAMES, span.low, span.high, strict=True)
    return {name: FloatDistribution(low, high) for name, low, high in ranges}


def _text(shares: Iterable[float]) -> str:
    # Optuna's databases keep choices that are text or numbers, not lists.
    return " ".join(map(repr, map(float, shares)))


def _within_one(drawn: list[float], least: tuple[float, ...]) -> list[float]:
    if sum(drawn) <= 1 + SUM_SLACK:
        return drawn
    above = [value - low for value, low in zip(drawn, least, strict=True)]
    part = (1 - sum(least)) / sum(above)
    return [low + part * more for low, more in zip(least, above, strict=True)]


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    match distribution:
        case CategoricalDistribution():
            return value in distribution.choices
        case IntDistribution() | FloatDistribution():
            return bool(distribution.low <= value <= distribution.high)
    return False

"""What sections of params.yaml say about each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from multiresunet.config.evaluation import OTHERS
from multiresunet.config.messages import shown
from multiresunet.config.models import Model
from multiresunet.config.params import TUNED, Params
from multiresunet.config.tuning import Span
from multiresunet.errors import did_you_mean
from multiresunet.paper import SHARES, Shares, multires_widths
from multiresunet.registries import NETWORKS

TRACKED = "multiresunet.nets."  # the code of networks, which `train` depends on in dvc.yaml

# A list of names (or one name, or a section whose keys are names), and the section that has what they name.
# A star stands for each key of a section.
NAMED = (
    ("run.datasets", "datasets"),
    ("run.models", "models"),
    ("run.recipe", "recipes"),
    ("evaluate.references", "models"),
    ("evaluate.confirmatory", "models"),
    ("evaluate.perturbed", "recipes"),
    ("models.*.learning_rate", "recipes"),
    ("models.*.longer", "recipes"),
)


def unknown_names(tree: dict[Any, Any]) -> Iterator[str]:
    """Findings about names that nothing in the file has. Works on a tree that is wrong elsewhere, too."""
    for path, names, section in _named(tree):
        known = _at(tree, section)
        if not isinstance(known, dict):
            continue
        for name in names if isinstance(names, list | dict) else [names]:
            if isinstance(name, str) and name not in known and not (path == "evaluate.perturbed" and name == OTHERS):
                hint = did_you_mean(name, map(str, known))
                yield f"{path}: {shown(name)} is unknown{hint}; allowed: {', '.join(map(str, known))}"


def _named(tree: dict[Any, Any]) -> Iterator[tuple[str, Any, str]]:
    """Where names stand, the names, and the section that has what they name."""
    for path, section in NAMED:
        parent, *middle, key = path.split(".")
        if not middle:
            yield path, _at(_at(tree, parent), key), section
        elif isinstance(entries := _at(tree, parent), dict):
            for name, entry in entries.items():
                yield path.replace("*", str(name)), _at(entry, key), section


def contradictions(params: Params) -> Iterator[str]:
    """Findings about values of different sections that don't go together."""
    for name in params.run.models:
        model = params.models[name]
        if _untracked(model.network):
            yield (
                f"models.{name}.network: {model.network} lies in this folder, where no stage would see that it has "
                f"changed; put it into {TRACKED.replace('.', '/')}, and name it {TRACKED}MODULE.CLASS"
            )
        if params.recipe.deep_supervision is not None and model.network not in NETWORKS:
            yield (
                f"run.models: {name} is the network {model.network}, whose decoders aren't known here; leave it out, "
                f"or set recipes.{params.run.recipe}.deep_supervision to null"
            )
    for name in params.run.tuned.models:
        if f"{name}{TUNED}" in params.models:
            yield f"models.{name}{TUNED}: is the name of {name} once it is tuned (run.tuned); choose another"
        if params.models[name].network not in NETWORKS:
            yield f"run.tuned.models: {name} is a network from elsewhere, whose numbers aren't known here; leave it out"
        yield from _without_filters(name, params.models[name], params)


def _untracked(network: str) -> bool:
    """Whether a network from elsewhere is a file of this folder that isn't a dependency of training."""
    top = network.partition(".")[0]
    here = top == "multiresunet" or Path(f"{top}.py").is_file() or Path(top).is_dir()
    return "." in network and here and not network.startswith(TRACKED)


def _without_filters(name: str, model: Model, params: Params) -> Iterator[str]:
    """Whether the smallest network of a search has a convolution without filters."""
    space = params.tune.space
    if model.alpha is None or model.filters is None:
        return
    filters = least_filters(params.recipe.width(model.filters), space.filters_factor)
    alpha = space.alpha.least if space.alpha else model.alpha
    shares: Shares = space.shares.least if space.shares else SHARES
    try:
        multires_widths(filters, alpha, shares)
    except ValueError as error:
        yield f"tune.space: model {name}: {error}, at shares {shares}; raise the least alpha, filters_factor or share"


def least_filters(filters: int, factor: Span[float] | None) -> int:
    """The smallest U in a search around `filters`."""
    return max(2, round(filters * factor.least)) if factor else filters


def _at(tree: Any, key: str) -> Any:
    return tree.get(key) if isinstance(tree, dict) else None

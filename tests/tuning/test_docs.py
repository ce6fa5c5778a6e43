"""The parameters that docs/tuning.md recommends are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from multiresunet import config
from multiresunet.training.job import network_of
from multiresunet.tuning.space import SearchSpace
from tests.discs import discs

BLOCKS = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[2] / "docs/tuning.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(("block", "trials"), list(zip(BLOCKS, (20, 100, 500), strict=True)))
@pytest.mark.parametrize("recipe", ["cpu", "paper"])
def test_recommended_values_load(block: str, trials: int, recipe: str, repository: Path) -> None:
    tree = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    tree["run"]["recipe"] = recipe
    tree["tune"] = yaml.safe_load(block)
    assert config.parse(tree).tune.trials == trials


def test_every_network_of_the_run_can_be_tuned(repository: Path) -> None:
    loaded = config.load(repository / "params.yaml")
    for model in loaded.run.models:
        recipe = loaded.recipe_of(model)
        spec = network_of(loaded.model(model), recipe, discs(4, (32, 32), 1, 2))
        assert SearchSpace(loaded.tune.space, spec, recipe).first()

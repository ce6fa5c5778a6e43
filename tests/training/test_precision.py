"""The engine's faster paths end where a plain loop in float32 does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets import NetworkSpec, build_network, set_normalisation_momentum
from multiresunet.seeds import generator_for
from multiresunet.training.fit import fit
from multiresunet.training.loader import batches
from tests.discs import discs
from tests.training.making import RECIPE, job_of

EPOCHS, STEPS = 25, 50
TOLERANCE = {"float32": 0.02, "bfloat16": 0.05}  # of the Jaccard index


@pytest.fixture(scope="module")
def data() -> PreparedDataset:
    return discs(12, (32, 32), 1, 3)


def plain(spec: NetworkSpec, data: PreparedDataset) -> float:
    """Jaccard index after 50 steps: eager, float32, channels first, Adam; the engine's weights and order."""
    train, test = data.split(0)
    network = build_network(spec, generator_for(1, "t", "weights"))
    set_normalisation_momentum(network, RECIPE.normalisation_momentum)
    settings = RECIPE.optimiser
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, eps=settings.epsilon)
    steps = 0
    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(len(train), generator=generator_for(1, "t", "order", epoch)).numpy()
        for indices in batches(train[order], 4):
            images, masks = map(torch.from_numpy, data.batch(indices))
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(network.train()(images), masks).backward()
            optimiser.step()
            steps += 1
    assert steps == STEPS
    images, masks = map(torch.from_numpy, data.batch(test))
    with torch.no_grad():
        predicted, truth = network.eval()(images) >= 0, masks > 0
    space = (1, 2, 3)
    return float(((predicted & truth).sum(space) / (predicted | truth).sum(space)).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet_bn", "multiresunet"])
def test_after_fifty_steps_the_jaccard_is_the_same(name: str, data: PreparedDataset) -> None:
    spec = NetworkSpec(name, 2, 1, filters=4)
    expected = plain(spec, data)
    assert expected > 0.5
    for precision, tolerance in TOLERANCE.items():
        recipe = RECIPE.model_copy(update={"batch": 4, "precision": precision})
        fitted = fit(job_of(data, spec=spec, recipe=recipe, epochs=EPOCHS))
        assert fitted.history[-1].test_jaccard == pytest.approx(expected, abs=tolerance), precision
        assert np.isfinite(fitted.history[-1].train_loss)

"""Volumes in bfloat16 on the CPU: gradients are right, and training repeats itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from multiresunet.data.dataset import PreparedDataset
from multiresunet.nets import NetworkSpec
from multiresunet.training.fit import fit
from multiresunet.training.onednn import made_safe
from multiresunet.training.result import Fit
from tests.training.making import RECIPE, job_of

CPU = torch.device("cpu")


@pytest.mark.parametrize(("side", "depth"), [(3, 1), (3, 2), (3, 3), (3, 4), (5, 2), (5, 3), (5, 4), (5, 5)])
def test_a_kernels_gradient_is_that_of_float32(side: int, depth: int) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = made_safe(nn.Sequential(nn.Conv3d(64, 32, side, padding=side // 2)), CPU)
    layer.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # documented, but not typed
    image = torch.randn(5, 64, depth, 3, 2, generator=generator).to(memory_format=torch.channels_last_3d)
    ask = torch.randn(5, 32, depth, 3, 2, generator=generator)
    gradients = []
    for mixed in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            y = layer(image)
        for size in (10_000, 60_000, 300_000):
            torch.full((size,), float("nan"))  # what freed memory may hold
        y.backward(ask.to(y.dtype))
        gradients.append(layer.get_parameter("0.weight").grad)
    expected, found = gradients
    assert expected is not None
    assert found is not None
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_training_gives_the_same_bytes(disc_volumes: PreparedDataset) -> None:
    def trained() -> Fit:
        return fit(
            job_of(
                disc_volumes,
                spec=NetworkSpec("multiresunet", 3, 2, filters=4),
                recipe=RECIPE.model_copy(update={"precision": "bfloat16"}),
                epochs=1,
            )
        )

    one, two = trained(), trained()
    assert one.history == two.history
    assert all(torch.equal(one.last[name], two.last[name]) for name in one.last)


def test_elsewhere_and_on_images_nothing_is_replaced() -> None:
    network = made_safe(nn.Sequential(nn.Conv3d(1, 1, 3), nn.Conv2d(1, 1, 3)), torch.device("cuda"))
    assert [type(layer) for layer in network] == [nn.Conv3d, nn.Conv2d]  # type: ignore[arg-type]
    assert type(next(made_safe(nn.Sequential(nn.Conv2d(1, 1, 3)), CPU).children())) is nn.Conv2d

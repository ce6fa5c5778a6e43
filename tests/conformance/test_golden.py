"""The networks are the authors': same parameters, same logits for the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec, UShape, build_network, keras_parameters, load_keras_weights

GOLDEN = Path(__file__).parent / "golden"
CASES = {2: NetworkSpec("multiresunet", 2, 3), 3: NetworkSpec("multiresunet", 3, 4)}


def golden(dims: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, int]:
    """Weights, input and logits, made as golden/README.md says."""
    listing = json.loads((GOLDEN / f"multiresunet_{dims}d.json").read_text())
    rng = np.random.default_rng(listing["seed"])
    weights = {}
    for entry in listing["tensors"]:
        layer, tensor, shape = entry["layer"], entry["tensor"], tuple(entry["shape"])
        if tensor == "kernel":
            fan_in = shape[-1] if layer in ("up1", "up2", "up3", "up4") else np.prod(shape[:-1])
            array = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
        elif tensor in ("gamma", "moving_variance"):
            array = rng.uniform(0.5, 1.5, shape)
        else:
            array = rng.standard_normal(shape) * 0.1
        weights[f"{layer}/{tensor}"] = array.astype(np.float32)
    stored = np.load(GOLDEN / f"multiresunet_{dims}d.npz")
    drawn = rng.uniform(0, 1, stored["input"].shape).astype(np.float32)
    np.testing.assert_array_equal(drawn, stored["input"])  # proves the order of the weights
    return weights, stored["input"], stored["logits"], listing["parameters"]


def loaded(dims: int) -> tuple[UShape, np.ndarray, np.ndarray, int]:
    weights, images, logits, parameters = golden(dims)
    network = build_network(CASES[dims]).eval()
    load_keras_weights(network, weights)
    return network, images, logits, parameters


@pytest.mark.parametrize("dims", [2, 3])
def test_logits_agree_with_the_authors_keras_network(dims: int) -> None:
    network, images, expected, parameters = loaded(dims)
    with torch.no_grad():
        logits = network(torch.from_numpy(np.moveaxis(images, -1, 1).copy())).numpy()
    expected = np.moveaxis(expected, -1, 1)
    assert logits.shape == expected.shape
    assert np.abs(logits - expected).max() / np.abs(expected).max() < 1e-4
    assert keras_parameters(network) == parameters


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (NetworkSpec("unet", 2, 1), 7_759_521),
        (NetworkSpec("multiresunet", 2, 3), 7_262_750),
        (NetworkSpec("unet", 3, 4), 19_078_593),
        (NetworkSpec("multiresunet", 3, 4), 18_657_689),
    ],
)
def test_parameters_are_those_that_keras_counts(spec: NetworkSpec, parameters: int) -> None:
    assert keras_parameters(build_network(spec)) == parameters


def test_a_weight_that_does_not_fit_is_named() -> None:
    weights, *_ = golden(2)
    network = build_network(CASES[2])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for name, change in {
        "missing: up3/bias": lambda w: w.pop("up3/bias"),
        "extra: up9/bias": lambda w: w.update({"up9/bias": np.zeros(1)}),
        "head.conv/kernel has shape (1, 1, 50, 1), the network has (1, 1, 51, 1)": lambda w: w.update(
            {"head.conv/kernel": np.zeros((1, 1, 50, 1))}
        ),
    }.items():
        changed = dict(weights)
        change(changed)
        with pytest.raises(UserError) as raised:
            load_keras_weights(network, changed)
        assert name in str(raised.value)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name

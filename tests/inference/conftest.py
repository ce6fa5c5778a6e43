"""Models with random weights that several tests predict with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model
from tests.inference.making import CPU, trained
from tests.training.making import SPEC


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of grey pictures of 32×32."""
    return load_model(trained(tmp_path_factory.mktemp("pictures")), device=CPU)


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of volumes of 16×16×16."""
    spec = replace(SPEC, dims=3, filters=4)
    folder = trained(tmp_path_factory.mktemp("volumes"), spec, normalisation="zscore")
    return load_model(folder, device=CPU)

"""The public interface: its names, and its examples as they stand in the docstring."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import multiresunet
from multiresunet import NetworkSpec
from tests.inference.making import trained as write_model


def test_exported_names() -> None:
    wanted = ["NetworkSpec", "PreparedDataset", "__version__", "build_network", "load_model", "predict"]
    assert sorted(multiresunet.__all__) == wanted
    for name in multiresunet.__all__:
        assert getattr(multiresunet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        multiresunet.train  # noqa: B018  (asks for it)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, prepared = tmp_path / "data/trained/polyps/multiresunet/1", tmp_path / "data/prepared/polyps"
    prepared.mkdir(parents=True)
    write_model(trained, NetworkSpec("multiresunet", dims=2, in_channels=3, filters=8), folds=3)
    np.save(prepared / "images.npy", np.zeros((3, 3, 48, 64), np.uint8))
    np.save(prepared / "masks.npy", np.zeros((3, 48, 64), np.uint8))
    pd.DataFrame({"sample": list("abc"), "group": "", "fold": range(3)}).to_csv(prepared / "samples.csv", index=False)
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(multiresunet)
    assert found.failed == 0
    assert found.attempted > 10

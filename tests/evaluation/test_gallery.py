"""The pictures that a page walks through, a bit a mask."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import gallery


def test_bits_of_many_models_go_into_colours() -> None:
    rng = np.random.default_rng(1)
    data = PreparedDataset(
        rng.integers(0, 255, (2, 1, 16, 24), dtype=np.uint8),
        rng.integers(0, 2, (2, 16, 24), dtype=np.uint8),
        pd.DataFrame({"sample": ["a", "b"], "group": "", "fold": 0}),
    )
    for count in (1, 7, 8, 23):
        predicted = {f"m{i}": rng.random((2, 16, 24)) < 0.5 for i in range(count)}
        scores = pd.DataFrame([{"model": m, "sample": s, "jaccard": 0.5} for m in predicted for s in "ab"])
        item = gallery.build(data, predicted, scores, np.zeros(2))["items"][1]
        assert item["fold"] == 0  # as in folds.csv, in file names and in `predict --folds`
        pixels = np.asarray(decoded(item["masks"]))
        planes = [pixels] if count <= 7 else list(np.moveaxis(pixels, -1, 0))
        for bit, mask in enumerate([data.masks[1] > 0, *(p[1] for p in predicted.values())]):
            np.testing.assert_array_equal(planes[bit // 8] >> (bit % 8) & 1, mask)


def decoded(text: str) -> Any:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_disagreement_by_hand() -> None:
    one, two = np.array([[1, 1, 0]], dtype=bool), np.array([[0, 1, 1]], dtype=bool)
    assert gallery.disagreement([one]) == 0
    assert gallery.disagreement([one, two]) == pytest.approx(2 / 3)
    assert gallery.disagreement([one, one, two]) == pytest.approx(4 / 9)
    assert gallery.disagreement([one, two], np.array([[True, False, True]])) == 0  # what is ignored

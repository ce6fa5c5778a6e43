"""Predictions that take no network: what a network has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.masks import MaskPair
from multiresunet.evaluation.metrics.overlap import jaccard


def everything(data: PreparedDataset) -> NDArray[np.bool_]:
    """All pixels foreground: N×(D×)H×W."""
    return np.ones(data.masks.shape, dtype=bool)


def otsu(data: PreparedDataset) -> NDArray[np.bool_]:
    """Otsu's threshold on each image's mean over channels: N×(D×)H×W.

    Whether the bright or the dark side is foreground comes from the training images of each fold.
    """
    bright = np.stack([image > threshold_otsu(image) for image in (i.mean(axis=0) for i in data.images)])
    truth = np.asarray(data.masks, dtype=bool)
    of_bright, of_dark = (_jaccard(side, truth) for side in (bright, ~bright))
    predicted = np.empty_like(bright)
    for fold in np.unique(data.folds):
        train, test = data.split(fold)
        predicted[test] = bright[test] if of_bright[train].mean() >= of_dark[train].mean() else ~bright[test]
    return predicted


def _jaccard(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array([jaccard(MaskPair(*pair)) for pair in zip(predicted, truth, strict=True)])


def predict_all(data: PreparedDataset) -> dict[str, NDArray[np.bool_]]:
    """All baselines' predictions by name."""
    return dict(zip(BASELINES, (everything(data), otsu(data)), strict=True))

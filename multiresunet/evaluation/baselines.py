"""Predictions that take no network: what a network has to beat."""

from __future__ import annotations

import numpy as np
from skimage.filters import threshold_otsu

from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import BASELINES
from multiresunet.evaluation.masks import Masks, pair_of
from multiresunet.evaluation.metrics.overlap import jaccard


def everything(data: PreparedDataset) -> Masks:
    """All pixels foreground: N of (D×)H×W."""
    return [np.ones(mask.shape, dtype=bool) for mask in data.masks]


def otsu(data: PreparedDataset) -> Masks:
    """Otsu's threshold on each image's mean over channels: N of (D×)H×W.

    Whether the bright or the dark side is foreground comes from the training images of each fold.
    """
    bright = [image > threshold_otsu(image) for image in (i.mean(axis=0) for i in data.images)]
    dark = [~one for one in bright]
    of_bright, of_dark = (
        np.array([jaccard(pair_of(data, index, one)) for index, one in enumerate(side)]) for side in (bright, dark)
    )
    predicted = list(bright)
    for fold in np.unique(data.folds):
        train, test = data.split(fold)
        if of_bright[train].mean() < of_dark[train].mean():
            for index in test:
                predicted[index] = dark[index]
    return predicted


def predict_all(data: PreparedDataset) -> dict[str, Masks]:
    """All baselines' predictions by name."""
    return dict(zip(BASELINES, (everything(data), otsu(data)), strict=True))

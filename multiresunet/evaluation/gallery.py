"""Every image of a data set as two small pictures: what the networks saw, and what all of them predicted.

The second is a PNG whose pixels are bit fields: bit 0 the truth, bit k the prediction of the k-th model; a page draws
truth, predictions and error maps of it. Eight bits go into each channel: grey for up to seven models, else RGB.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.evaluation.examples import view
from multiresunet.evaluation.masks import MaskPair, Masks
from multiresunet.evaluation.metrics.overlap import jaccard

SIDE = 128  # pixels of the longer side, at most
MAX_MODELS = 23  # models; one bit less than an RGB pixel has


def disagreement(predictions: list[NDArray[np.bool_]], ignored: NDArray[np.bool_] | None = None) -> float:
    """1 - Jaccard index between two networks' predictions, averaged over all pairs; 0 for a single network.

    What is `ignored` counts nowhere.
    """
    gaps = [1 - jaccard(MaskPair(one, other, ignored=ignored)) for one, other in combinations(predictions, 2)]
    return float(np.mean(gaps)) if gaps else 0.0


def build(
    data: PreparedDataset,
    predicted: Mapping[str, Masks],
    images: pd.DataFrame,
    distances: NDArray[np.float64],
) -> dict[str, Any]:
    """A data set's gallery, as plain values for JSON.

    Of a volume the slice with most foreground is shown; scores and disagreement are of all of it.

    Args:
        data: the prepared data set.
        predicted: each model's masks, N of (D×)H×W.
        images: each model's scores: model, sample, jaccard.
        distances: from each image to the training images, from `outliers.distance_to_training`.

    Returns:
        models: names; size: [width, height] of the pictures; items: one a sample, with sample, group, fold (from 0),
        scores (of each model), disagreement, distance, input (JPEG) and masks (PNG), both in base64.

    Raises:
        UserError: for more models than a pixel has bits.
    """
    models = list(predicted)
    if len(models) > MAX_MODELS:
        raise UserError(f"run.models: the gallery shows {MAX_MODELS} models at most, not {len(models)}; name fewer")
    scores = images.pivot_table(index="sample", columns="model", values="jaccard", sort=False)
    items: list[dict[str, Any]] = []
    # Pictures of one size, so that the page can lay them out; images of several sizes are fitted into the largest.
    size = _size(tuple(max(mask.shape[axis] for mask in data.masks) for axis in (0, 1)))
    for row, (sample, group, fold) in enumerate(data.table[["sample", "group", "fold"]].itertuples(index=False)):
        image, truth, predictions = view(data, predicted, row)
        items.append(
            {
                "sample": str(sample),
                "group": str(group),
                "fold": int(fold),
                "scores": [round(float(scores.loc[sample, model]), 4) for model in models],
                "disagreement": round(disagreement([masks[row] for masks in predicted.values()], data.ignored(row)), 4),
                "distance": round(float(distances[row]), 4),
                "input": _encoded(_fitted(_shown(image), size, Image.Resampling.BILINEAR), "JPEG", quality=72),
                "masks": _encoded(_fitted(_bits([truth, *predictions]), size, Image.Resampling.NEAREST), "PNG"),
            }
        )
    return {"models": models, "size": list(size), "items": items}


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(shape))
    height, width = (max(1, round(side * scale)) for side in shape)
    return width, height


def _fitted(picture: Image.Image, size: tuple[int, int], how: Image.Resampling) -> Image.Image:
    """At `size`, in its own proportions; what remains is black."""
    scale = min(new / old for new, old in zip(size, picture.size, strict=True))
    own = tuple(min(new, max(1, round(old * scale))) for new, old in zip(size, picture.size, strict=True))
    small = picture.resize((own[0], own[1]), how)
    if small.size == size:
        return small
    whole = Image.new(small.mode, size)
    whole.paste(small, (0, 0))
    return whole


def _bits(masks: list[NDArray[np.bool_]]) -> Image.Image:
    planes = [
        sum((mask.astype(np.uint8) << bit for bit, mask in enumerate(masks[i : i + 8])), np.uint8(0))
        for i in (0, 8, 16)
    ]
    if len(masks) <= 8:
        return Image.fromarray(np.asarray(planes[0], dtype=np.uint8))
    full = [np.broadcast_to(plane, masks[0].shape) for plane in planes]
    return Image.fromarray(np.stack(full, axis=-1).astype(np.uint8))


def _shown(image: NDArray[np.uint8]) -> Image.Image:
    """C×H×W as grey or RGB; of other channel counts the first, stretched, since dim images are black otherwise."""
    if image.shape[0] == 3:
        return Image.fromarray(np.ascontiguousarray(np.moveaxis(image, 0, -1)))
    low, high = np.percentile(image[0], (0.5, 99.5))
    stretched = np.clip((image[0] - low) / max(high - low, 1e-9), 0, 1) * 255
    return Image.fromarray(stretched.astype(np.uint8))


def _encoded(picture: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True, **options)
    return base64.b64encode(buffer.getvalue()).decode()

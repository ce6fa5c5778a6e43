"""A few images that show how the networks do: worst, middle and best, with every network's prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.data.dataset import PreparedDataset, hatched
from multiresunet.evaluation import arrays
from multiresunet.evaluation.masks import Masks

RANKS = {"worst": 0.0, "middle": 0.5, "best": 1.0}


def save(path: Path, data: PreparedDataset, predicted: Mapping[str, Masks], images: pd.DataFrame) -> None:
    """Write the examples as .npz.

    Samples are ranked by the Jaccard index (last epoch), averaged over the models in `predicted`. Of a volume the
    slice with most foreground is shown.

    Arrays: image (K×C×H×W, 0 to 255), truth (K×H×W), predictions (K×M×H×W), jaccard (K×M); names: samples, ranks,
    models.
    """
    models = list(predicted)
    table = images[images["model"].isin(models)].pivot_table(index="sample", columns="model", values="jaccard")
    ranked = table.mean(axis=1).sort_values(kind="stable").index
    chosen = [ranked[round(share * (len(ranked) - 1))] for share in RANKS.values()]
    position = {sample: index for index, sample in enumerate(data.table["sample"])}
    rows = [position[sample] for sample in chosen]
    views = [view(data, predicted, row) for row in rows]
    image, truth, predictions = (_stacked(parts) for parts in zip(*views, strict=True))
    arrays.write(
        path,
        image=image,
        truth=truth,
        predictions=predictions,
        jaccard=table.loc[chosen, models].to_numpy(),
        samples=np.array(chosen, dtype=np.str_),
        ranks=np.array(list(RANKS), dtype=np.str_),
        models=np.array(models, dtype=np.str_),
    )


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """…×H×W, one above the other; smaller ones filled up with zeros on the right and below."""
    height, width = (max(part.shape[axis] for part in parts) for axis in (-2, -1))
    return np.stack(
        [np.pad(a, [(0, 0)] * (a.ndim - 2) + [(0, height - a.shape[-2]), (0, width - a.shape[-1])]) for a in parts]
    )


def view(
    data: PreparedDataset, predicted: Mapping[str, Masks], row: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """One image in 2-D: C×H×W with values up to 255, truth H×W, predictions M×H×W; the fullest slice of a volume.

    What is ignored is hatched in the image, and empty in the masks.
    """
    image, truth, ignored = np.asarray(data.images[row]), data.truth(row), data.ignored(row)
    ignored = np.zeros_like(truth) if ignored is None else ignored
    predictions = np.stack([p[row] & ~ignored for p in predicted.values()])
    if data.dims == 3:
        depth = int(truth.sum(axis=(0, 1)).argmax())
        image, truth, predictions = image[..., depth], truth[..., depth], predictions[..., depth]
        ignored = ignored[..., depth]
    if image.dtype != np.uint8:
        low, high = (np.percentile(image, q, axis=(1, 2), keepdims=True) for q in (0.5, 99.5))
        image = (np.clip((image - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    return (hatched(image, ignored) if ignored.any() else image), truth, predictions

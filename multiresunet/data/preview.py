"""What a size that is proposed would cost the masks, before anything is prepared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiresunet.config import Dataset, Recipe
from multiresunet.data.geometry import input_size
from multiresunet.data.loading import encode_labels, load_image, load_mask
from multiresunet.data.manifest import Sample
from multiresunet.data.resizing import emptied, in_words, kept, loss, resized_labels

LOOKED_AT = 12  # samples, evenly spaced


def losses(folder: Path, samples: list[Sample], dataset: Dataset, recipe: Recipe) -> list[str]:
    """A line for the data set's own size, and one for the recipe's if that is smaller: what is lost there.

    Raises:
        UserError: naming a mask that can't be read.
    """
    if dataset.fit != "resize":
        return []
    some = [samples[i] for i in np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).astype(int))]
    sizes = dict.fromkeys((tuple(dataset.size), input_size(dataset, recipe)))
    rows: dict[tuple[int, ...], list[dict[str, object]]] = {size: [] for size in sizes}
    for sample in some:
        before = _labels(folder, sample, dataset)
        for size in sizes if before.ndim == len(dataset.size) else ():
            after = resized_labels(before, size) if before.shape != size else before
            found = kept(before, after)
            rows[size].append(
                {
                    "sample": sample.sample,
                    "foreground_kept": found.foreground,
                    "components_kept": found.components,
                    "empty": emptied(before, after),
                }
            )
    lines = []
    for size, found_rows in rows.items():
        table = pd.DataFrame(found_rows)
        whose = "the data set's size" if size == tuple(dataset.size) else "this recipe's size"
        if table.empty:
            continue
        if table["empty"].any():
            lines.append(f"{whose}: at {in_words(size)} {table['empty'].sum()} of {len(table)} masks become empty")
        said = loss(table, size)
        lines.append(f"{whose}: {said}" if said else f"{whose}: {in_words(size)} keeps what the masks mark")
    return lines


def _labels(folder: Path, sample: Sample, dataset: Dataset) -> NDArray[np.uint8]:
    image = load_image(folder, sample.image, dataset)
    return encode_labels(load_mask(folder, sample.mask, dataset.mask, image).array, dataset.mask)

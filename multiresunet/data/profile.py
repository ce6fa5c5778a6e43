"""Measured facts about every sample of a raw data set: what the gate judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from multiresunet.data import formats
from multiresunet.data.manifest import Sample
from multiresunet.errors import UserError
from multiresunet.params import Dataset


def profile(folder: Path, samples: list[Sample], dataset: Dataset) -> pd.DataFrame:
    """One row a sample, what is declared beside what is measured.

    Columns: sample, group, problem (why a file can't be read, else empty), axes and declared_axes, channels
    and declared_channels, image_shape and mask_shape (like "512×672"), minimum, maximum, mean, deviation,
    nonfinite (number of NaN or infinite values), undeclared_mask_values (like "7 128", else empty),
    foreground_share, image_sha256, mask_sha256. What can't be measured is empty.
    """
    return pd.DataFrame([_facts(folder, sample, dataset) for sample in samples])


def _facts(folder: Path, sample: Sample, dataset: Dataset) -> dict[str, object]:
    facts: dict[str, object] = {
        "sample": sample.sample,
        "group": sample.group,
        "problem": "",
        "axes": None,
        "declared_axes": len(dataset.size),
        "channels": None,
        "declared_channels": dataset.channels,
        "image_shape": "",
        "mask_shape": "",
        "minimum": None,
        "maximum": None,
        "mean": None,
        "deviation": None,
        "nonfinite": None,
        "undeclared_mask_values": "",
        "foreground_share": None,
        "image_sha256": sample.image_sha256,
        "mask_sha256": sample.mask_sha256,
    }
    image, image_problem = _read(formats.read_image, folder / sample.image)
    mask, mask_problem = _read(formats.read_mask, folder / sample.mask)
    if image is None or mask is None:
        return facts | {"problem": "; ".join(filter(None, (image_problem, mask_problem)))}
    finite = np.isfinite(image)
    known = image[finite].astype(np.float64) if finite.any() else np.zeros(1)
    undeclared = np.setdiff1d(mask, dataset.mask.values)
    return facts | {
        "axes": image.ndim - 1,
        "channels": image.shape[0],
        "image_shape": "×".join(map(str, image.shape[1:])),
        "mask_shape": "×".join(map(str, mask.shape)),
        "minimum": known.min(),
        "maximum": known.max(),
        "mean": known.mean(),
        "deviation": known.std(),
        "nonfinite": int(finite.size - np.count_nonzero(finite)),
        "undeclared_mask_values": " ".join(map(str, undeclared[:10])),
        "foreground_share": float(np.isin(mask, dataset.mask.foreground).mean()),
    }


def _read(reader: Callable[[Path], formats.Array], path: Path) -> tuple[formats.Array | None, str]:
    try:
        return reader(path), ""
    except UserError as error:
        return None, str(error)

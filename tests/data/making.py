"""Small data sets for tests: discs on a noisy ground, written as a user would have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiresunet.config import Dataset
from multiresunet.data import readers

Array = NDArray[Any]


def disc(size: tuple[int, ...], centre: tuple[float, ...] | None = None, radius: float = 8) -> Array:
    """A boolean disc, or ball."""
    axes = np.stack(np.meshgrid(*(np.arange(side) for side in size), indexing="ij"))
    middle = np.array(centre or [(side - 1) / 2 for side in size]).reshape(-1, *[1] * len(size))
    return np.asarray(((axes - middle) ** 2).sum(axis=0) < radius**2)


def declared(**changes: Any) -> Dataset:
    """What params.yaml would say about such a data set."""
    entry: dict[str, Any] = {
        "modality": "discs",
        "source": {"kind": "folder", "path": "discs", "digest": "0" * 64},
        "size": [32, 32],
        "channels": 1,
        "fit": "resize",
        "normalisation": "rescale",
        "mask": {"values": [0, 255], "foreground": [255]},
        "groups": False,
    }
    return Dataset.model_validate(entry | changes)


def pair(index: int, size: tuple[int, int] = (40, 48), channels: int = 1) -> tuple[Array, Array]:
    """An image (C×H×W, uint8) and its mask (H×W, 0 or 255); no two indices give the same."""
    rng = np.random.default_rng(index)
    mask = disc(size, (size[0] * rng.uniform(0.3, 0.7), size[1] * rng.uniform(0.3, 0.7)), min(size) / 4)
    image = np.clip(60 + 120 * mask + rng.normal(0, 20, (channels, *size)), 0, 255).astype(np.uint8)
    return image, np.where(mask, 255, 0).astype(np.uint8)


def save(path: Path, array: Array) -> Path:
    """Write an image file, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    readers.write_image(path, array)
    return path


def folder_of(place: Path, names: list[str], **options: Any) -> Path:
    """Write images/<name>.png and masks/<name>.png for every name."""
    for index, name in enumerate(names):
        image, mask = pair(index, **options)
        save(place / "images" / f"{name}.png", image)
        save(place / "masks" / f"{name}.png", mask)
    return place


def truncate(path: Path, keep: float = 0.5) -> None:
    """Cut a file's end off, as a broken download does."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])

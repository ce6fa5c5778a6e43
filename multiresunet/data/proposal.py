"""Look at a user's files and propose what params.yaml would say about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiresunet.data import manifest, readers
from multiresunet.data.geometry import proposed_size
from multiresunet.data.manifest import JOIN, Sample
from multiresunet.errors import UserError
from multiresunet.paper import STEP

LOOKED_AT = 24  # samples, evenly spaced, that decide size, channels and labels
LARGEST_2D, LARGEST_3D = 256, 96  # longest side that is proposed


@dataclass(frozen=True)
class Proposal:
    """An entry for params.yaml, and in words why it is so."""

    entry: dict[str, Any]
    reasons: list[str]


def propose(folder: Path, samples: list[Sample], modality: str, path: str, digest: str) -> Proposal:
    """Look at evenly spaced samples of a folder, and propose an entry.

    Raises:
        UserError: naming the file that can't be read.
    """
    some = [samples[i] for i in np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).astype(int))]
    images, values, instances = [], set[int](), False
    for sample in some:
        files = manifest.parts(sample.image)
        read = [readers.decode_image(folder / file).array for file in files]
        images.append(read[0] if len(read) == 1 else np.concatenate(read))
        masks = manifest.parts(sample.mask)
        instances |= len(masks) > 1
        for file in masks:
            values |= {int(value) for value in np.unique(readers.read_mask(folder / file))[:300]}
    rule, why = _rule(sorted(values), instances)
    shapes = np.array([image.shape[1:] for image in images]) if len({i.ndim for i in images}) == 1 else None
    if shapes is None:
        raise UserError(f"{folder}: some files are images and some are volumes; make two data sets of them")
    channels = sorted({len(image) for image in images})
    if len(channels) > 1:
        raise UserError(f"{folder}: images have {' or '.join(map(str, channels))} channels; convert them to the same")
    typical = np.median(shapes, axis=0)
    volumes = len(typical) == 3
    size = list(proposed_size(tuple(typical.tolist()), LARGEST_3D if volumes else LARGEST_2D))
    unit = all(image.dtype == np.uint8 or image.dtype == np.uint16 for image in images) and not volumes
    full = all(image.dtype == np.uint8 or image.max() > 2**13 for image in images)
    groups = [sample.group for sample in samples]
    entry = {
        "modality": modality,
        "source": {"kind": "folder", "path": path, "digest": digest},
        "size": size,
        "channels": channels[0],
        "fit": "resize",
        "normalisation": "rescale" if unit and full else "zscore",
        "mask": rule,
        "groups": any(groups),
    }
    reasons = [
        f"size: images are {'×'.join(str(int(side)) for side in typical)} (median); sides in multiples of {STEP}",
        f"channels: {channels[0]} in {'several files' if JOIN in some[0].image else 'each file'}",
        f"normalisation: {images[0].dtype}, "
        + ("its range is used" if entry["normalisation"] == "rescale" else "its scale isn't known"),
        f"mask: {why}",
        f"groups: {len(set(groups) - {''})}"
        if any(groups)
        else "groups: none; --group-pattern finds them in the names",
    ]
    return Proposal(entry, reasons)


def _rule(values: list[int], instances: bool) -> tuple[dict[str, Any], str]:
    shown = ", ".join(map(str, values[:8])) + (" …" if len(values) > 8 else "")
    if len(values) == 2:
        return {"values": values, "foreground": [values[1]]}, f"two values, {shown}; the higher is foreground"
    if len(values) < 2:
        raise UserError(f"all masks looked at hold the one value {shown}; see whether they are the masks")
    if values == list(range(len(values))) or max(values) > 255 or (len(values) <= 8 and 255 not in values):
        if not instances and len(values) <= 5 and max(values) < 10:
            return {"values": values, "foreground": values[1:]}, f"labels {shown}; all but {values[0]} are foreground"
        return {"above": 0}, f"values {shown} number instances; all above 0 are foreground"
    return {"above": 127}, f"values {shown}, so edges are grey; above 127 is foreground"

"""Measured facts about every sample of a raw data set: what validation judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from multiresunet.config import Dataset, MaskRule
from multiresunet.data import manifest, measures, near_duplicates
from multiresunet.data.filing import hash_of
from multiresunet.data.loading import foreground, ignored, load_image, load_mask
from multiresunet.data.manifest import JOIN, Sample
from multiresunet.data.near_duplicates import Picture
from multiresunet.data.parallel import at_once, blocks
from multiresunet.data.readers import Array, Decoded
from multiresunet.errors import UserError

STRAYING = ("mean", "deviation", "pixels", "foreground_share")


def profile(folder: Path, samples: list[Sample], dataset: Dataset) -> pd.DataFrame:
    """One row a sample, what is declared beside what is measured; files are read in parallel.

    Columns: sample, group, group_missing (the data set says it has groups, and has none), problem (why a file can't be
    read, else empty), changed (files whose SHA-256 isn't the manifest's), axes and declared_axes, channels and
    declared_channels, image_shape and mask_shape (like "512×672"), pixels, type (of the image's values, like "uint8"),
    minimum, maximum, mean, deviation, nonfinite (number of NaN or infinite values), undeclared_mask_values (like "7
    128", else empty), foreground_share, doubtful_share (of pixels that are neither clearly in nor out, where the rule
    is `above`), mask_container (PNG, JPEG, …), image_turn and mask_turn (by EXIF), notes (what else was converted),
    image_sha256, mask_sha256, pixels_sha256 (of the image's array), alike (samples that show the same scene, like
    "a;b"), near_duplicates (those of them that are of other groups), and for each of `STRAYING` its distance from the
    median in robust deviations, as mean_strays and so on. What can't be measured is empty.
    """
    files = (folder / path for sample in samples for path in manifest.parts(sample.image))
    work = blocks(lambda sample: _facts(folder, sample, dataset), samples, **at_once(files))
    found = [one for block in work for _, one in block]
    facts = pd.DataFrame([row for row, _ in found])
    facts.insert(2, "group_missing", dataset.groups and not any(sample.group for sample in samples))
    pictures = [picture or near_duplicates.NOTHING for _, picture in found]
    facts["alike"] = near_duplicates.as_text(near_duplicates.near_duplicates(pictures), facts["sample"].tolist())
    facts["near_duplicates"] = _of_other_groups(facts, dataset.groups)
    for column in STRAYING:
        facts[f"{column}_strays"] = _strays(facts[column].astype(float))
    return facts


def _facts(folder: Path, sample: Sample, dataset: Dataset) -> tuple[dict[str, object], Picture | None]:
    facts: dict[str, object] = {
        "sample": sample.sample,
        "group": sample.group,
        "problem": "",
        "changed": _changed(folder, sample),
        "axes": None,
        "declared_axes": len(dataset.size),
        "channels": None,
        "declared_channels": dataset.channels,
        "image_shape": "",
        "mask_shape": "",
        "pixels": None,
        "type": "",
        "minimum": None,
        "maximum": None,
        "mean": None,
        "deviation": None,
        "nonfinite": None,
        "undeclared_mask_values": "",
        "foreground_share": None,
        "doubtful_share": None,
        "mask_container": "",
        "image_turn": "",
        "mask_turn": "",
        "notes": "",
        "image_sha256": sample.image_sha256,
        "mask_sha256": sample.mask_sha256,
        "pixels_sha256": f"unknown {sample.sample}",  # no two that can't be read are called the same
    }
    read_image, image_problem = _read(lambda: load_image(folder, sample.image, dataset))
    read_mask, mask_problem = _read(lambda: load_mask(folder, sample.mask, dataset.mask, read_image))
    if read_image is None or read_mask is None:
        return facts | {"problem": "; ".join(filter(None, (image_problem, mask_problem)))}, None
    image, mask = read_image.array, read_mask.array
    measured = measures.measures(image)
    turns = {f"{role}_turn": _turn(read) for role, read in (("image", read_image), ("mask", read_mask))}
    return facts | {
        "axes": image.ndim - 1,
        "channels": image.shape[0],
        "image_shape": "×".join(map(str, image.shape[1:])),
        "mask_shape": "×".join(map(str, mask.shape)),
        "pixels": image[0].size,
        "type": str(image.dtype),
        **measured._asdict(),
        "undeclared_mask_values": _undeclared(mask, dataset.mask),
        "foreground_share": _foreground_share(mask, dataset.mask),
        "doubtful_share": _doubtful_share(mask, dataset.mask),
        "mask_container": read_mask.container,
        **turns,
        "notes": "; ".join(
            f"{role}: {note}" for role, read in (("image", read_image), ("mask", read_mask)) for note in read.notes
        ),
        "pixels_sha256": measures.digest(image),
    }, near_duplicates.picture(image)


def _read(reader: Callable[[], Decoded]) -> tuple[Decoded | None, str]:
    try:
        return reader(), ""
    except UserError as error:
        return None, str(error)


def _changed(folder: Path, sample: Sample) -> str:
    """Files that aren't what the manifest says; one that is gone is a problem, not a change."""
    said = ((sample.image, sample.image_sha256), (sample.mask, sample.mask_sha256))
    whole = [(p, s) for p, s in said if s and all((folder / file).exists() for file in manifest.parts(p))]
    return " ".join(path for path, said_hash in whole if hash_of(folder, path) != said_hash)


def _turn(read: Decoded) -> str:
    return next((note.rpartition(" ")[2] for note in read.notes if "EXIF" in note), "")


def _undeclared(mask: Array, rule: MaskRule) -> str:
    allowed = rule.values  # noqa: PD011 - not a frame's
    if allowed is None:
        return ""
    return " ".join(map(str, np.setdiff1d(mask, [*allowed, *([] if rule.ignore is None else [rule.ignore])])[:10]))


def _foreground_share(mask: Array, rule: MaskRule) -> float:
    """Of the pixels about which something is known."""
    known = mask.size - int(np.count_nonzero(ignored(mask, rule)))
    return int(np.count_nonzero(foreground(mask, rule))) / max(known, 1)


def _doubtful_share(mask: Array, rule: MaskRule) -> float:
    """The share of pixels strictly between the mask's own lowest and highest value; 0 where values are labels."""
    if not rule.above:
        return 0.0
    known = mask if rule.ignore is None else mask[mask != rule.ignore]
    return float(np.mean((known > known.min()) & (known < known.max()))) if known.size else 0.0


def _of_other_groups(facts: pd.DataFrame, by_group: bool) -> list[str]:
    """For each row, up to five samples that show the same scene, and aren't of its group."""
    groups = dict(zip(facts["sample"], facts["group"], strict=True)) if by_group else {}
    return [
        JOIN.join([other for other in text.split(JOIN) if not (group and groups.get(other) == group)][:5])
        for text, group in zip(facts["alike"], facts["group"], strict=True)
    ]


def _strays(values: pd.Series[float]) -> pd.Series[float]:
    """Distance from the median in robust deviations; of values that mostly agree, in mean distances."""
    distance = (values - values.median()).abs()
    scale = 1.4826 * distance.median() or 1.2533 * distance.mean() or 1.0
    return distance / scale

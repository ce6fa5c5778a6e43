"""Look at a user's files and propose what params.yaml would say about them."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiresunet.data import manifest, readers
from multiresunet.data.manifest import JOIN, Sample, extension, sample_name
from multiresunet.errors import UserError
from multiresunet.files import some_of
from multiresunet.paper import STEP

LOOKED_AT = 24  # samples, evenly spaced, that decide size, channels and labels
LARGEST_2D, LARGEST_3D = 256, 96  # longest side that is proposed


@dataclass(frozen=True)
class Proposal:
    """An entry for params.yaml, and in words why it is so."""

    entry: dict[str, Any]
    reasons: list[str]


def pair(images: list[Path], masks: list[Path], group_pattern: str | None) -> list[tuple[Sample, list[Path]]]:
    """Match images and masks by their names; several of one sample are its channels, or its instances.

    The key of a sample is the longest name (or name of its folder) that all its files begin with.

    Returns:
        For each sample: its name, group and new relative paths, and the files that belong there, in that order.

    Raises:
        UserError: if nothing was found, something has no partner, or the pattern doesn't match a name.
    """
    if not images or not masks:
        raise UserError(
            f"no {'image' if not images else 'mask'} matches; put quotes around the pattern, and see its folder"
        )
    masks = [path for path in masks if path not in set(images)] or masks
    images = [path for path in images if path not in set(masks)]
    found = [_keyed(files) for files in (images, masks)]
    by_image, by_mask = found if found[0].keys() & found[1].keys() else _by_prefix(*found)
    lone = sorted(by_image.keys() ^ by_mask.keys())
    if lone:
        raise UserError(f"{some_of(lone)} has only an image or only a mask; name both alike, or add the missing one")
    counts = {len(files) for files in by_image.values()}
    if len(counts) > 1:
        raise UserError(
            f"some samples have {min(counts)} image files and some {max(counts)}; give all the same channels"
        )
    paired = []
    for name in sorted(by_image):
        places = [
            JOIN.join(_place(role, name, file, alone=len(files) == 1) for file in files)
            for role, files in (("images", by_image[name]), ("masks", by_mask[name]))
        ]
        sample = Sample(name, places[0], places[1], _group(name, group_pattern))
        paired.append((sample, [*by_image[name], *by_mask[name]]))
    manifest.check_names(Path("the files found"), by_image)
    return paired


def bring(paired: list[tuple[Sample, list[Path]]], target: Path) -> None:
    """Link (or else copy) the files into `target` and write its manifest.csv."""
    for sample, files in paired:
        places = [place for cell in (sample.image, sample.mask) for place in manifest.parts(cell)]
        for file, place in zip(files, places, strict=True):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file.resolve(), target / place)
            except OSError:  # another file system, or one without links
                shutil.copyfile(file, target / place)
    manifest.write(target, [sample for sample, _ in paired])


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
    shrink = min(1.0, (LARGEST_3D if volumes else LARGEST_2D) / typical.max())
    size = [max(STEP, int(-(-side * shrink // STEP)) * STEP) for side in typical]
    unit = all(image.dtype == np.uint8 or image.dtype == np.uint16 for image in images) and not volumes
    full = all(image.dtype == np.uint8 or image.max() > 2**13 for image in images)
    groups = [sample.group for sample in samples]
    entry = {
        "modality": modality,
        "source": {"kind": "folder", "path": path, "digest": digest},
        "size": size,
        "channels": channels[0],
        "fit": "resize",
        "normalisation": "rescale" if unit and full else "standard",
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


def _place(role: str, name: str, file: Path, *, alone: bool) -> str:
    """Where a sample's file goes; a name may not hold the sign that joins names."""
    return f"{role}/{name}{extension(file.name)}" if alone else f"{role}/{name}/{file.name.replace(JOIN, '_')}"


def _keyed(files: list[Path]) -> dict[str, list[Path]]:
    """Files by name, or by folder where each of several folders holds a sample of its own."""
    folders = {path.parent for path in files}
    by_folder = len(folders) > 1 and len(files) > len(folders)
    found: dict[str, list[Path]] = {}
    for path in sorted(files):
        found.setdefault(path.parent.name if by_folder else sample_name(path.name), []).append(path)
    if not by_folder and (twice := [name for name, paths in found.items() if len(paths) > 1]):
        raise UserError(
            f"{some_of(sorted(twice))}: several files have this name; give each its own, or use a folder each"
        )
    return found


def _by_prefix(
    images: dict[str, list[Path]], masks: dict[str, list[Path]]
) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Keys are what an image's and a mask's name begin with alike (case_flair and case_seg: case)."""
    tries = []
    # First as they are, then without what all images, or all masks, end with.
    for cut_images, cut_masks in ((False, False), (False, True), (True, False), (True, True)):
        first, second = _without_ending(images, cut_images), _without_ending(masks, cut_masks)
        tries.append((_named_after(first, second), _named_after(second, first)))
    return min(tries, key=lambda pair: len(pair[0].keys() ^ pair[1].keys()))


def _without_ending(files: dict[str, list[Path]], cut: bool) -> dict[str, list[Path]]:
    ending = _common_ending(list(files)) if cut else ""
    return {name.removesuffix(ending): paths for name, paths in files.items()}


def _named_after(files: dict[str, list[Path]], partners: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Several files whose names begin with a partner's belong to that partner."""
    merged: dict[str, list[Path]] = {}
    known = sorted(partners, key=len, reverse=True)
    for name, paths in sorted(files.items()):
        longer = (k for k in known if name.startswith(k) and name[len(k) : len(k) + 1] in ("_", "-", ".", " "))
        key = name if name in partners else next(longer, name)
        merged.setdefault(key, []).extend(paths)
    return merged


def _common_ending(names: list[str]) -> str:
    """What all names end with, from its first separator on ("_seg"); nothing for a single name."""
    ending = "" if len(names) < 2 else names[0]
    while not all(name.endswith(ending) for name in names):
        ending = ending[1:]
    place = re.search(r"[_\-. ]", ending)
    return ending[place.start() :] if place else ""


def _group(name: str, pattern: str | None) -> str:
    if pattern is None:
        return ""
    match = re.search(pattern, name)
    if not match:
        raise UserError(f"--group-pattern {pattern!r} doesn't match the name {name!r}; fix it")
    return next((part for part in match.groups() if part), match.group(0))

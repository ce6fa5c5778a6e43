"""Pair a user's images and masks by their names, and link them into one folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multiresunet.data import manifest
from multiresunet.data.manifest import JOIN, Sample, extension, sample_name
from multiresunet.errors import UserError
from multiresunet.files import some_of


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


def link(paired: list[tuple[Sample, list[Path]]], target: Path) -> None:
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


@contextmanager
def originals_named(paired: list[tuple[Sample, list[Path]]], target: Path) -> Iterator[None]:
    """Errors that name files in `target` name the files that were linked there instead.

    Raises:
        UserError: the one from within, in other words.
    """
    try:
        yield
    except UserError as error:
        message = str(error)
        for sample, files in paired:
            places = [place for cell in (sample.image, sample.mask) for place in manifest.parts(cell)]
            for file, place in zip(files, places, strict=True):
                message = message.replace(f"{target / place}:", f"{file}:")
        raise UserError(message.replace(f"{target}:", "the files found:")) from None


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

"""Pair a user's images and masks by where they lie and what they are called, and link them into one folder."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from multiresunet.data import manifest
from multiresunet.data.filing import moves, place
from multiresunet.data.manifest import JOIN, Sample, composed, folded, sample_name
from multiresunet.data.matching import SEPARATORS, Files, Key, match
from multiresunet.data.readers.several import without_companions
from multiresunet.errors import UserError
from multiresunet.files import some_of

SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "stage1_train", "stage1_test"}
PairedFiles = list[tuple[Sample, list[Path]]]


def pair(images: list[Path], masks: list[Path], group_pattern: str | None) -> PairedFiles:
    """Match images and masks; several of one sample are its channels, or its instances.

    Returns:
        For each sample: its name, group and new relative paths, and the files that belong there, in that order.

    Raises:
        UserError: if nothing was found, something has no partner or several, or the pattern doesn't match a name.
    """
    if not images or not masks:
        raise UserError(
            f"no {'image' if not images else 'mask'} matches; put quotes around the pattern, and see its folder"
        )
    masks = [path for path in masks if path not in set(images)] or masks
    images = [path for path in images if path not in set(masks)]
    if not images:
        raise UserError("the patterns of images and of masks match the same files; make one of them narrower")
    return _samples(*match(without_companions(images), without_companions(masks)), group_pattern)


def together(pairs: list[tuple[Path, Path]], group_pattern: str | None) -> PairedFiles:
    """As `pair`, of files that are pairs already.

    Raises:
        UserError: if two images have the same name, or the pattern doesn't match one.
    """
    keys = {(str(index), folded(sample_name(image.name))): (image, mask) for index, (image, mask) in enumerate(pairs)}
    return _samples({k: [i] for k, (i, _) in keys.items()}, {k: [m] for k, (_, m) in keys.items()}, group_pattern)


def _samples(by_image: Files, by_mask: Files, group_pattern: str | None) -> PairedFiles:
    names, groups = _names(by_image), _folder_groups(list(by_image))
    paired = []
    for key in sorted(by_image, key=lambda key: names[key]):
        name = names[key]
        roles = (("images", by_image[key]), ("masks", by_mask[key]))
        places = [JOIN.join(_places(role, name, files)) for role, files in roles]
        shared = "".join(_spelt(by_image[key][0], (groups[key],)))
        group = shared if group_pattern is None else _group(name, group_pattern)
        paired.append((Sample(name, places[0], places[1], group), [*by_image[key], *by_mask[key]]))
    named = [sample.sample for sample, _ in paired]
    manifest.check_names(Path("the files found"), named)
    if twice := sorted(name for name, count in Counter(named).items() if count > 1):
        raise UserError(
            f"{some_of(twice)}: names of more than one sample; list the pairs with names (--pairs file.csv)"
        )
    return paired


def grouped(paired: PairedFiles, group_pattern: str | None) -> PairedFiles:
    """The same pairs, with the groups that the pattern finds in the samples' names; without one, as they are.

    Raises:
        UserError: if the pattern doesn't match a name.
    """
    if group_pattern is None:
        return paired
    return [(replace(sample, group=_group(sample.sample, group_pattern)), files) for sample, files in paired]


def listed(path: Path, group_pattern: str | None = None) -> PairedFiles:
    """Pairs as a CSV file lists them: columns image and mask, and sample and group if there are such.

    Paths are relative to the CSV file's folder, or absolute; several of one cell have `;` between them.

    Raises:
        UserError: naming the line that can't be used, or the files that are missing; or if the file and a pattern
            both say what the groups are, or the pattern doesn't match a name.
    """
    table = manifest.table(path)
    paired, missing = [], list[str]()
    for row in table.to_dict("records"):
        files = [[_found(path.parent, part) for part in manifest.parts(str(row[role]))] for role in ("image", "mask")]
        missing += [str(file) for each in files for file in each if not file.exists()]
        name = str(row.get("sample") or sample_name(files[0][0].name))
        places = [JOIN.join(_places(role, name, each)) for role, each in zip(("images", "masks"), files, strict=True)]
        paired.append((Sample(name, places[0], places[1], str(row.get("group") or "")), [*files[0], *files[1]]))
    if missing:
        raise UserError(f"{path}: missing {some_of(missing)}; paths are relative to the CSV file's folder")
    if not paired:
        raise UserError(f"{path}: lists no pair; give each sample a line with image and mask")
    names = [sample.sample for sample, _ in paired]
    manifest.check_names(path, names)
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise UserError(f"{path}: {some_of(twice)} stands there more than once; add a column sample with names")
    own = sorted({sample.group for sample, _ in paired} - {""})
    if own and group_pattern is not None:
        raise UserError(f"{path}: has groups ({some_of(own)}); leave --group-pattern out, or empty the column group")
    return grouped(paired, group_pattern)


def examples(paired: PairedFiles) -> list[str]:
    """The pairs in words: the first, the last, how many, and how many files make an image or a mask."""
    said = [f"{len(paired)} pairs; first and last:" if len(paired) > 1 else "1 pair:"]
    for sample, files in [paired[0], *paired[1:][-1:]]:
        many = len(manifest.parts(sample.image))
        image, mask = (some_of([str(file) for file in some], 4) for some in (files[:many], files[many:]))
        group = f", group {sample.group}" if sample.group else ""
        said.append(f"  {sample.sample}: {image} ↔ {mask}{group}")
    counts = Counter(len(files) - len(manifest.parts(sample.image)) for sample, files in paired)
    if set(counts) != {1}:
        said.append(f"  masks are {min(counts)} to {max(counts)} files each, one an instance")
    return said


def link(paired: PairedFiles, target: Path) -> None:
    """Link (or else copy) the files into `target` and write its manifest.csv."""
    for sample, files in paired:
        places = [place for cell in (sample.image, sample.mask) for place in manifest.parts(cell)]
        for file, where in zip(files, places, strict=True):
            for source, goal in moves(file, target / where):
                goal.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source.resolve(), goal)
                except FileExistsError:
                    raise UserError(f"{source}: another file has its place, {goal}; rename one of the two") from None
                except OSError:  # another file system, or one without links
                    shutil.copyfile(source, goal)
    manifest.write(target, [sample for sample, _ in paired])


@contextmanager
def originals_named(paired: PairedFiles, target: Path) -> Iterator[None]:
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
            for file, where in zip(files, places, strict=True):
                message = message.replace(f"{target / where}:", f"{file}:").replace(f"{target / where}/", f"{file}/")
        raise UserError(message.replace(f"{target}:", "the files found:")) from None


def _places(role: str, name: str, files: list[Path]) -> list[str]:
    """Where a sample's files go; a name may not hold the sign that joins names."""
    if len(files) == 1:
        return [place(role, name, files[0])]
    return [place(role, name, file, inside=sample_name(file.name).replace(JOIN, "_")) for file in files]


def _found(folder: Path, part: str) -> Path:
    """A path of a CSV file, which Windows may have written."""
    path = folder / part.strip()
    return path if path.exists() or "\\" not in part else folder / part.strip().replace("\\", "/")


def _names(files: Files) -> dict[Key, str]:
    """A name for each sample: the file's own, or with its folders in front where that isn't unique."""
    many = any(len(paths) > 1 for paths in files.values())
    short = {}
    for key, paths in files.items():
        spelt = composed(sample_name(paths[0].name))
        cut = spelt[: len(key[-1])] if key and folded(spelt).startswith(key[-1]) else (key[-1] if key else spelt)
        short[key] = (cut if many else spelt).strip(SEPARATORS) or spelt
    if len({folded(name) for name in short.values()}) == len(short):
        return short
    long = {}
    for key, paths in files.items():
        folders = key[:-1] if key[-1] in folded(short[key]) else key
        long[key] = "_".join([*_spelt(paths[0], folders), short[key]])
    return long


def _spelt(path: Path, folders: Key) -> list[str]:
    """Folders as the disk has them."""
    return [next((composed(part) for part in path.parts if folded(part) == name), name) for name in folders]


def _folder_groups(keys: list[Key]) -> dict[Key, str]:
    """For each sample, the folder that it shares with some others: of the level that has most; a split is none."""
    levels: dict[int, list[str]] = {}
    for key in keys:
        for level, part in enumerate(key[:-1]):
            levels.setdefault(level, []).append(part)
    most = {
        level: len(set(parts))
        for level, parts in levels.items()
        if len(set(parts)) < len(keys) and not set(parts) <= SPLITS
    }
    chosen = max(most, key=lambda level: most[level], default=None)
    return {key: key[chosen] if chosen is not None and chosen < len(key) - 1 else "" for key in keys}


def _group(name: str, pattern: str) -> str:
    match = re.search(pattern, name)
    if not match:
        raise UserError(f"--group-pattern {pattern!r} doesn't match the name {name!r}; fix it")
    return next((part for part in match.groups() if part), match.group(0))

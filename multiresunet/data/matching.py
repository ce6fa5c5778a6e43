"""Ways in which files of images and of masks belong together, by their folders and their names.

Ways are tried from the strictest on; the first under which everything has a partner is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from multiresunet.data.manifest import folded, sample_name
from multiresunet.errors import UserError
from multiresunet.files import some_of

Key = tuple[str, ...]  # what an image and its mask have in common: folders, then a name
Files = dict[Key, list[Path]]
SEPARATORS = "_-. "
NOTHING: tuple[Files, Files] = ({}, {("",): []})  # which no two pair under


@dataclass(frozen=True)
class Placed:
    """A file, and what its place says: the folders that tell it from others of its role, and its name."""

    path: Path
    folders: Key
    name: str


def match(images: list[Path], masks: list[Path]) -> tuple[Files, Files]:
    """The files of each sample's image, and those of its mask, by one key.

    Raises:
        UserError: naming what has no partner, or stands twice.
    """
    placed = _placed(images), _placed(masks)
    for role, files in zip(("image", "mask"), placed, strict=True):
        _check_unique(role, files)
    tries = [way(*placed) for way in WAYS]
    found = next((found for found in tries if _fits(*found)), None)
    if found is None:
        raise UserError(_what_fails(tries))
    return found


def _placed(files: list[Path]) -> list[Placed]:
    """What places say: folders that all files of a role share say nothing."""
    parts = [path.absolute().parent.parts for path in files]
    depth = max(map(len, parts))
    told = [level for level in range(depth) if len({part[level] if level < len(part) else "" for part in parts}) > 1]
    return [
        Placed(
            path,
            tuple(folded(part[level]) for level in told if level < len(part)),
            folded(sample_name(path.name)),
        )
        for path, part in zip(files, parts, strict=True)
    ]


def _check_unique(role: str, files: list[Placed]) -> None:
    """Refuse files that differ in nothing but the extension."""
    found: dict[Key, list[str]] = {}
    for one in files:
        found.setdefault((*one.folders, one.name), []).append(str(one.path))
    if twice := [", ".join(paths) for paths in found.values() if len(paths) > 1]:
        raise UserError(
            f"{some_of(sorted(twice))}: these {role}s have one name but for the extension; keep one, or rename it"
        )


def _grouped(files: list[Placed], key: Callable[[Placed], Key]) -> Files:
    found: Files = {}
    for one in sorted(files, key=lambda one: str(one.path)):
        found.setdefault(key(one), []).append(one.path)
    return found


def _fits(images: Files, masks: Files) -> bool:
    """Whether all have a partner, and all images the same number of files."""
    return images.keys() == masks.keys() and len({len(files) for files in images.values()}) == 1


# The ways, from the strictest on.


def _by_path(images: list[Placed], masks: list[Placed]) -> tuple[Files, Files]:
    """The same folders and the same name."""
    found = [_grouped(files, lambda one: (*one.folders, one.name)) for files in (images, masks)]
    return found[0], found[1]


def _by_core(images: list[Placed], masks: list[Placed]) -> tuple[Files, Files]:
    """The same folders, and the same name without what all of a role's, or a folder's, names begin and end with."""
    for by_folder in (False, True):
        found = [_cut(files, _without_common, by_folder) for files in (images, masks)]
        if _fits(*found) and all(len(files) == 1 for each in found for files in each.values()):
            return found[0], found[1]
    return NOTHING


def _by_prefix(images: list[Placed], masks: list[Placed]) -> tuple[Files, Files]:
    """The same folders, and what an image's and a mask's name begin with alike (case_flair and case_seg: case)."""
    tries = []
    for by_folder in (False, True):
        for first_cut, second_cut in product((_as_it_is, _without_ending), repeat=2):
            first, second = _cut(images, first_cut, by_folder), _cut(masks, second_cut, by_folder)
            tries.append((_named_after(first, second), _named_after(second, first)))
    return next((found for found in tries if _fits(*found)), min(tries, key=_lone))


def _by_folder(images: list[Placed], masks: list[Placed]) -> tuple[Files, Files]:
    """A folder for each sample: one image in it, or the same channels in each, and any number of masks."""
    found = [_grouped(files, lambda one: one.folders) for files in (images, masks)]
    if () in found[0]:  # no folder tells them apart
        return NOTHING
    channels = {tuple(sorted(_channel(one) for one in images if one.folders == key)) for key in found[0]}
    many = any(len(files) > 1 for files in found[0].values())
    if many and (len(channels) > 1 or any(len(files) > 1 for files in found[1].values())):
        return NOTHING
    return found[0], found[1]


def _by_mask_folder(images: list[Placed], masks: list[Placed]) -> tuple[Files, Files]:
    """A folder of masks for each image, with the image's name."""
    return _grouped(images, lambda one: (*one.folders, one.name)), _grouped(masks, lambda one: one.folders)


WAYS = (_by_path, _by_core, _by_prefix, _by_mask_folder, _by_folder)


def _cut(files: list[Placed], cut: Callable[[list[str]], dict[str, str]], by_folder: bool) -> Files:
    """Files by their folders and what is left of their names, cut all together or each folder's by themselves."""
    parts: dict[Key, list[Placed]] = {}
    for one in files:
        parts.setdefault(one.folders if by_folder else (), []).append(one)
    left = {
        id(one): each[one.name] for some in parts.values() for each in [cut([f.name for f in some])] for one in some
    }
    return _grouped(files, lambda one: (*one.folders, left[id(one)]))


def _as_it_is(names: list[str]) -> dict[str, str]:
    return {name: name for name in names}


def _without_ending(names: list[str]) -> dict[str, str]:
    ending = _common_ending(names)
    return {name: name.removesuffix(ending) or name for name in names}


def _lone(found: tuple[Files, Files]) -> int:
    return len(found[0].keys() ^ found[1].keys())


def _named_after(files: Files, partners: Files) -> Files:
    """Several files whose names begin with a partner's belong to that partner."""
    merged: Files = {}
    known: dict[Key, list[str]] = {}
    for key in partners:
        known.setdefault(key[:-1], []).append(key[-1])
    for key, paths in sorted(files.items()):
        name = key[-1]
        longer = (k for k in sorted(known.get(key[:-1], []), key=len, reverse=True) if _begins(name, k))
        found = name if key in partners else next(longer, name)
        merged.setdefault((*key[:-1], found), []).extend(paths)
    return merged


def _begins(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) : len(start) + 1] in tuple(SEPARATORS)


def _channel(one: Placed) -> str:
    """What a file's name says beside its folder's name: "flair"."""
    last = one.folders[-1] if one.folders else ""
    return one.name.removeprefix(last).strip(SEPARATORS) if last else one.name


def _without_common(names: list[str]) -> dict[str, str]:
    """Names without the word that all of them begin with, and the words that all end with."""
    start, end = _common_start(names), _common_ending(names)
    return {name: name.removeprefix(start).removesuffix(end) or name for name in names}


def _common_ending(names: list[str]) -> str:
    """What all names end with, from its first separator on ("_seg"); nothing for a single name."""
    ending = names[0] if len(names) > 1 else ""
    while not all(name.endswith(ending) for name in names):
        ending = ending[1:]
    found = re.search(r"[_\-. ]", ending)
    return ending[found.start() :] if found else ""


def _common_start(names: list[str]) -> str:
    """The word that all names begin with ("image_", "mask"), before a number or a separator; nothing for one name."""
    found = re.match(r"[^\W\d_]+([_\-. ]+|(?=\d))", names[0]) if len(names) > 1 else None
    return found[0] if found and all(name.startswith(found[0]) for name in names) else ""


def _what_fails(tries: list[tuple[Files, Files]]) -> str:
    """One line that names what has no partner, under the way that leaves the fewest."""
    tries = [found for found in tries if found[0]]
    images, masks = min(tries, key=_lone)
    lone = sorted("/".join(key) for key in images.keys() ^ masks.keys())
    if lone:
        return (
            f"{some_of(lone)} has only an image or only a mask; name both alike, add the missing one, or list the "
            "pairs (--pairs file.csv)"
        )
    counts = Counter(len(files) for files in images.values())
    usual = counts.most_common(1)[0][0]
    odd = sorted("/".join(key) for key, files in images.items() if len(files) != usual)
    said = f"some samples have {min(counts)} image files and some {max(counts)} ({some_of(odd)})"
    return f"{said}; give all the same channels"

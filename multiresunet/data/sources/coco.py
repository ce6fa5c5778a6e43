"""COCO's annotations: one file for many images, which it knows by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiresunet.data.manifest import folded
from multiresunet.data.readers import common
from multiresunet.data.sources.areas import Area, check_size, understood
from multiresunet.errors import UserError
from multiresunet.files import some_of

Names = tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """An image as a COCO file lists it.

    file: the COCO file.
    name: what it calls the image, by its folders and its name; without what systems spell differently.
    size: height and width; None where the file doesn't say them.
    areas: what is drawn on it.
    """

    file: Path
    name: Names
    size: tuple[Any, Any]
    areas: list[Area]

    def common(self, image: Path, *, folder: bool = False) -> int:
        """How many parts at the end of its path an image has in common with this; with the COCO file's folder, too."""
        own = (*_names(self.file.absolute().parent), *self.name) if folder else self.name
        pairs = list(zip(reversed(own), reversed(_names(image.absolute())), strict=False))
        return next((count for count, (one, other) in enumerate(pairs) if one != other), len(pairs))

    def whole(self, image: Path) -> bool:
        """Whether an image's path ends with all of the name."""
        return self.common(image) == len(self.name)


def is_coco(tree: dict[str, Any]) -> bool:
    """Whether a JSON file's content is COCO's."""
    return isinstance(tree.get("images"), list) and isinstance(tree.get("annotations"), list)


def areas_of(images: list[Path], files: dict[Path, dict[str, Any]]) -> dict[Path, list[Area]]:
    """The areas of each image of COCO files, by the longest end of its path that they list.

    Raises:
        UserError: if an image isn't listed, if nobody can tell which is meant, or if its size is another.
    """
    by_name: dict[str, list[Listed]] = {}
    for path, tree in files.items():
        with understood(path, "COCO"):
            for one in _listed(path, tree):
                by_name.setdefault(one.name[-1], []).append(one)
    found = {image: _meant(image, by_name.get(folded(image.name), [])) for image in images}
    alike: dict[str, dict[Path, list[Listed]]] = {}
    for image, listed in found.items():
        alike.setdefault(folded(image.name), {})[image] = listed
    for name, claimed in alike.items():
        for one in by_name.get(name, []):
            _only_nearest(one, claimed)
    lone = [str(path) for path, listed in found.items() if not listed]
    if lone:
        raise UserError(f"{some_of(lone)}: not listed in {some_of(list(map(str, files)))}; narrow --images, or add it")
    for image, listed in found.items():
        for one in listed:
            for size in (one.size, *sorted({area.mask.shape for area in one.areas if area.mask is not None})):
                check_size(image, one.file, *size)
    return {image: [area for one in listed for area in one.areas] for image, listed in found.items()}


def _meant(image: Path, some: list[Listed]) -> list[Listed]:
    """What lists an image: in each file the longest end of its path; several files may list it.

    Raises:
        UserError: if two that may be other images do.
    """
    kept: list[Listed] = []
    for file in dict.fromkeys(one.file for one in some):
        of_file = [one for one in some if one.file == file]
        best = max((one.common(image), one.whole(image)) for one in of_file)
        kept += [one for one in of_file if (one.common(image), one.whole(image)) == best]
    longest = max((one.common(image) for one in kept), default=0)
    kept = [one for one in kept if one.common(image) == longest or one.whole(image)]
    names = {one.name for one in kept}
    if len(names) > 1 and not all(one.whole(image) for one in kept):
        said, where = (sorted(some) for some in ({"/".join(name) for name in names}, {str(one.file) for one in kept}))
        raise UserError(
            f"{image}: listed as {some_of(said)} in {some_of(where)}; let file_name end as the image's path does, or "
            "leave other files out"
        )
    return kept


def _only_nearest(one: Listed, claimed: dict[Path, list[Listed]]) -> None:
    """Take what is listed from all images but the one whose path has most in common with it.

    Raises:
        UserError: if several have as much.
    """
    claims = {
        image: one.common(image, folder=True)
        for image, listed in claimed.items()
        if any(each is one for each in listed)
    }
    nearest = [image for image, count in claims.items() if count == max(claims.values())]
    if len(nearest) > 1:
        raise UserError(
            f"{one.file}: {'/'.join(one.name)} could be {some_of(list(map(str, nearest)))}; write the image's folders "
            "into file_name"
        )
    for image in claims.keys() - nearest:
        claimed[image][:] = [each for each in claimed[image] if each is not one]


def _listed(path: Path, tree: dict[str, Any]) -> list[Listed]:
    found = {
        one["id"]: Listed(path, _names(Path(str(one["file_name"]))), (one.get("height"), one.get("width")), [])
        for one in tree["images"]
    }
    labels = {one["id"]: str(one["name"]) for one in tree.get("categories", [])}
    for one in tree["annotations"]:
        if one.get("image_id") not in found:
            raise UserError(f"{path}: annotation {one.get('id')} is of an image that isn't listed; list it")
        label = labels.get(one.get("category_id"), f"class_{one.get('category_id')}")
        found[one["image_id"]].areas.append(_coco_area(path, label, one.get("segmentation")))
    return list(found.values())


def _names(path: Path) -> Names:
    return tuple(map(folded, path.parts))


def _coco_area(path: Path, label: str, drawn: Any) -> Area:
    if isinstance(drawn, list) and drawn and all(isinstance(one, list) and len(one) >= 6 for one in drawn):
        return Area(label, tuple(np.array(one, dtype=np.float64).reshape(-1, 2) for one in drawn))
    if isinstance(drawn, dict) and "counts" in drawn and len(drawn.get("size", [])) == 2:
        counts = drawn["counts"]
        runs = _unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
        height, width = (int(side) for side in drawn["size"])
        common.check_size(path, height * width)
        if sum(runs) == height * width and min(runs, default=0) >= 0:
            flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
            return Area(label, mask=flat.reshape(width, height).T)
    raise UserError(f"{path}: an area of {label!r} has no outline (a box alone isn't one); export its segmentation")


def _unpacked(text: str) -> list[int]:
    """COCO's compressed runs: five bits a sign; each run, from the third on, less the one before the last."""
    runs: list[int] = []
    value = shift = 0
    for sign in text.encode("ascii", "replace"):
        bits = sign - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs

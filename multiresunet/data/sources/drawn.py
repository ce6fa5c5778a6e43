"""Annotations drawn to masks: LabelMe and COCO JSON, ImageJ's ROIs (.roi, .zip)."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon

from multiresunet.data import readers
from multiresunet.data.manifest import folded, sample_name
from multiresunet.data.matching import match
from multiresunet.data.readers.common import check_size
from multiresunet.errors import UserError
from multiresunet.files import some_of

logging.getLogger("roifile").setLevel(logging.CRITICAL)  # the error that follows says it
Mask = NDArray[np.bool_]
AREAS = ("polygon", "rectangle", "circle", "mask")  # LabelMe's shapes that have an inside
CIRCLE = 72  # corners of a drawn circle
ROI = "roi"  # the one label of ImageJ's ROIs


@dataclass(frozen=True)
class Area:
    """A labelled area of an image: what is inside of any of its outlines (N×2, x and y in pixels), or a mask.

    corner: row and column of the mask's first pixel in the image.
    holes: whether an outline within another one is a hole.
    """

    label: str
    outlines: tuple[NDArray[np.float64], ...] = ()
    mask: Mask | None = None
    corner: tuple[int, int] = (0, 0)
    holes: bool = False


def draw(images: list[Path], annotations: list[Path], target: Path) -> tuple[list[tuple[Path, Path]], dict[str, int]]:
    """Draw each image's annotations into `target`, as <number>/<name>.png; later ones cover earlier ones.

    An image without areas gets an empty mask.

    Returns:
        Pairs of image and mask, and the number of each label in the masks.

    Raises:
        UserError: naming the file that isn't understood, the image that has no annotation, or shapes without an inside.
    """
    read = {path: _parsed(path) for path in annotations if path.suffix.lower() == ".json"}
    coco = [path for path, tree in read.items() if _is_coco(tree)]
    if coco and len(coco) < len(annotations):
        raise UserError(f"{coco[0]}: COCO, among annotations of other kinds; give one kind at a time")
    found = _of_coco(images, {path: read[path] for path in coco}) if coco else _of_each(images, annotations, read)
    labels = sorted({area.label for areas in found.values() for area in areas})
    if not labels:
        raise UserError(f"{some_of(list(map(str, annotations)))}: hold no area; draw something first")
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    if len(numbers) > 254:
        raise UserError(f"{annotations[0]}: {len(numbers)} labels, more than the 254 that a mask of 8 bits can hold")
    pairs = []
    for index, (path, areas) in enumerate(found.items()):
        shape = readers.read_image(path).shape[1:]
        if len(shape) != 2:
            raise UserError(f"{path}: a volume; annotations are drawn on pictures only")
        mask = np.zeros(shape, np.uint8)
        for area in areas:
            mask[_inside(path, area, shape)] = numbers[area.label]
        place = target / str(index) / f"{sample_name(path.name)}.png"
        place.parent.mkdir(parents=True)
        readers.write_image(place, mask)
        pairs.append((path, place))
    return pairs, numbers


def rule_of(numbers: dict[str, int]) -> dict[str, Any]:
    """The rule of masks that `draw` has written."""
    values = [0, *numbers.values()]
    rule: dict[str, Any] = {"values": values, "foreground": values[1:]}
    if len(numbers) > 1:
        names = class_names(numbers)
        rule["classes"] = {names[label]: [number] for label, number in numbers.items()}
    return rule


def class_names(labels: Iterable[str]) -> dict[str, str]:
    """Each label as params.yaml can have it: letters, digits, underscores; no two alike."""
    found: dict[str, str] = {}
    for label in labels:
        name = re.sub(r"\W+", "_", label).strip("_")
        name = name if name and not name.isdigit() else f"class_{name}"
        number = 1 + sum(other == name or other.startswith(f"{name}_") for other in found.values())
        found[label] = name if name not in found.values() else f"{name}_{number}"
    return found


def _of_each(images: list[Path], annotations: list[Path], read: dict[Path, dict[str, Any]]) -> dict[Path, list[Area]]:
    """A file for each image, which has its name."""
    by_image, by_file = match(images, annotations)
    found = {}
    for key, paths in by_image.items():
        if len(paths) > 1:
            raise UserError(f"{paths[1]}: one of {len(paths)} files of an image; annotations are drawn on single files")
        areas: list[Area] = []
        for file in by_file[key]:
            if file in read:
                _check_size(paths[0], file, read[file])
                with _understood(file, "LabelMe"):
                    areas += _of_labelme(file, read[file])
            else:
                areas += _of_imagej(file)
        found[paths[0]] = areas
    return found


def _check_size(image: Path, file: Path, tree: dict[str, Any]) -> None:
    said = tree.get("imageHeight"), tree.get("imageWidth")
    shape = readers.read_image(image).shape[1:]
    if all(isinstance(side, int) for side in said) and said != shape:
        sizes = ("×".join(map(str, each)) for each in (said, shape))
        raise UserError(
            f"{file}: drawn on {' pixels, and its image has '.join(sizes)}; see whether they belong together"
        )


def _of_labelme(path: Path, tree: dict[str, Any]) -> Iterator[Area]:
    if not isinstance(tree.get("shapes"), list):
        raise UserError(f"{path}: neither LabelMe (no shapes) nor COCO (no images); export it as one of the two")
    for shape in tree["shapes"]:
        kind, label = shape.get("shape_type") or "polygon", str(shape.get("label", ""))
        if kind not in AREAS:
            raise UserError(f"{path}: {label!r} is a {kind}, which has no inside; draw it as a polygon, or take it out")
        points = np.array(shape.get("points"), dtype=np.float64).reshape(-1, 2)
        if kind == "mask":
            yield _pasted(path, label, shape["mask"], points)
        elif kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = points
            yield Area(label, (np.array([(left, top), (right, top), (right, bottom), (left, bottom)]),))
        elif kind == "circle" and len(points) == 2:
            angles = np.arange(CIRCLE) * 2 * np.pi / CIRCLE
            radius = float(np.hypot(*(points[1] - points[0])))
            yield Area(label, (points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1),))
        elif len(points) >= 3:
            yield Area(label, (points,))
        else:
            raise UserError(f"{path}: {label!r} has {len(points)} points, which enclose nothing; draw it again")


def _pasted(path: Path, label: str, encoded: str, points: NDArray[np.float64]) -> Area:
    """A LabelMe mask: a PNG within the JSON, whose first pixel lies at the first point."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
            mask = np.asarray(picture.convert("L")) > 0
        left, top = (round(side) for side in points[0].tolist())
    except Exception:
        raise UserError(f"{path}: {label!r} has a mask that can't be read; draw it again") from None
    return Area(label, mask=mask[max(0, -top) :, max(0, -left) :], corner=(max(0, top), max(0, left)))


def _is_coco(tree: dict[str, Any]) -> bool:
    return isinstance(tree.get("images"), list) and isinstance(tree.get("annotations"), list)


def _of_coco(images: list[Path], files: dict[Path, dict[str, Any]]) -> dict[Path, list[Area]]:
    """The areas of each image of COCO files, by the file's name."""
    by_name: dict[str, list[Area]] = {}
    for path, tree in files.items():
        with _understood(path, "COCO"):
            names = {one["id"]: folded(Path(str(one["file_name"])).name) for one in tree["images"]}
            labels = {one["id"]: str(one["name"]) for one in tree.get("categories", [])}
            by_name |= {name: by_name.get(name, []) for name in names.values()}
            for one in tree["annotations"]:
                if one.get("image_id") not in names:
                    raise UserError(f"{path}: annotation {one.get('id')} is of an image that isn't listed; list it")
                label = labels.get(one.get("category_id"), f"class_{one.get('category_id')}")
                by_name[names[one["image_id"]]].append(_coco_area(path, label, one.get("segmentation")))
    lone = [str(path) for path in images if folded(path.name) not in by_name]
    if lone:
        raise UserError(f"{some_of(lone)}: not listed in {some_of(list(map(str, files)))}; narrow --images, or add it")
    return {path: by_name[folded(path.name)] for path in images}


def _coco_area(path: Path, label: str, drawn: Any) -> Area:
    if isinstance(drawn, list) and drawn and all(isinstance(one, list) and len(one) >= 6 for one in drawn):
        return Area(label, tuple(np.array(one, dtype=np.float64).reshape(-1, 2) for one in drawn))
    if isinstance(drawn, dict) and "counts" in drawn and len(drawn.get("size", [])) == 2:
        counts = drawn["counts"]
        runs = _unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
        height, width = (int(side) for side in drawn["size"])
        check_size(path, height * width)
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


def _of_imagej(path: Path) -> list[Area]:
    """Every ROI of a .roi or .zip file; they have one label."""
    if path.suffix.lower() not in (".roi", ".zip"):
        raise UserError(f"{path}: no annotation that is known; give LabelMe or COCO JSON, or ImageJ's .roi or .zip")
    from roifile import ROI_TYPE, roiread  # here, since few data sets need it

    areas = []
    with _understood(path, "ImageJ ROI"):
        read = roiread(path)
        for roi in read if isinstance(read, list) else [read]:
            if roi.roitype in (ROI_TYPE.LINE, ROI_TYPE.FREELINE, ROI_TYPE.POLYLINE, ROI_TYPE.POINT, ROI_TYPE.ANGLE):
                raise UserError(
                    f"{path}: {roi.name or 'a ROI'} is a {roi.roitype.name.lower()}, which has no inside; draw an area"
                )
            outlines = tuple(np.asarray(one, dtype=np.float64) for one in roi.coordinates(multi=True))
            areas.append(Area(ROI, tuple(one for one in outlines if len(one) >= 3), holes=True))
    if not all(area.outlines for area in areas):
        raise UserError(f"{path}: holds a ROI that encloses nothing; draw it again, or take it out")
    return areas


def _inside(image: Path, area: Area, shape: tuple[int, ...]) -> Mask:
    """Pixels whose middles are inside; coordinates count from a pixel's corner, half a pixel away."""
    found = np.zeros(shape, dtype=bool)
    if area.mask is not None:
        (top, left), (height, width) = area.corner, area.mask.shape
        if top + height > shape[0] or left + width > shape[1]:
            raise UserError(f"{image}: smaller than the mask that is drawn on it; see whether they belong together")
        found[top : top + height, left : left + width] = area.mask
        return found
    for outline in area.outlines:
        if not np.isfinite(outline).all() or np.abs(outline).max() > 1e6:
            raise UserError(f"{image}: an outline of {area.label!r} leads far out of the picture; draw it again")
        rows, columns = polygon(outline[:, 1] - 0.5, outline[:, 0] - 0.5, shape)
        found[rows, columns] = ~found[rows, columns] if area.holes else True
    return found


@contextmanager
def _understood(path: Path, kind: str) -> Iterator[None]:
    """One line about a file that isn't as its kind should be."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # what isn't there, or isn't of the type that it should be, is of many kinds
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)[:200]
        raise UserError(f"{path}: no {kind} that can be understood ({reason}); export it again") from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({str(error)[:200]}); export it again") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: neither LabelMe nor COCO; export it as one of the two")
    return tree

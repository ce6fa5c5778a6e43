"""Annotations drawn to masks: LabelMe and COCO JSON, ImageJ's ROIs (.roi, .zip)."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon

from multiresunet.data import readers
from multiresunet.data.manifest import sample_name
from multiresunet.data.matching import match
from multiresunet.data.sources import coco
from multiresunet.data.sources.areas import Area, Mask, check_size, understood
from multiresunet.errors import UserError
from multiresunet.files import some_of

logging.getLogger("roifile").setLevel(logging.CRITICAL)  # the error that follows says it
AREAS = ("polygon", "rectangle", "circle", "mask")  # LabelMe's shapes that have an inside
CIRCLE = 72  # corners of a drawn circle
ROI = "roi"  # the one label of ImageJ's ROIs


def draw(images: list[Path], annotations: list[Path], target: Path) -> tuple[list[tuple[Path, Path]], dict[str, int]]:
    """Draw each image's annotations into `target`, as <number>/<name>.png; later ones cover earlier ones.

    An image without areas gets an empty mask.

    Returns:
        Pairs of image and mask, and the number of each label in the masks.

    Raises:
        UserError: naming the file that isn't understood, the image that has no annotation, or shapes without an inside.
    """
    read = {path: _parsed(path) for path in annotations if path.suffix.lower() == ".json"}
    listing = [path for path, tree in read.items() if coco.is_coco(tree)]
    if listing and len(listing) < len(annotations):
        raise UserError(f"{listing[0]}: COCO, among annotations of other kinds; give one kind at a time")
    found = (
        coco.areas_of(images, {path: read[path] for path in listing})
        if listing
        else _of_each(images, annotations, read)
    )
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
                check_size(paths[0], file, read[file].get("imageHeight"), read[file].get("imageWidth"))
                with understood(file, "LabelMe"):
                    areas += _of_labelme(file, read[file])
            else:
                areas += _of_imagej(file)
        found[paths[0]] = areas
    return found


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


def _of_imagej(path: Path) -> list[Area]:
    """Every ROI of a .roi or .zip file; they have one label."""
    if path.suffix.lower() not in (".roi", ".zip"):
        raise UserError(f"{path}: no annotation that is known; give LabelMe or COCO JSON, or ImageJ's .roi or .zip")
    from roifile import ROI_TYPE, roiread  # here, since few data sets need it

    areas = []
    with understood(path, "ImageJ ROI"):
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


def _parsed(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({str(error)[:200]}); export it again") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: neither LabelMe nor COCO; export it as one of the two")
    return tree

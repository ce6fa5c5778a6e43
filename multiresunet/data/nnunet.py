"""nnU-Net's folders, and the Decathlon's tasks, which are alike: read as pairs, and written."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multiresunet.config import Dataset, MaskRule
from multiresunet.data import manifest, readers
from multiresunet.data.filing import moves, place
from multiresunet.data.loading import encode_labels, ignored, load_image, load_mask
from multiresunet.data.manifest import JOIN, Sample, extension, sample_name
from multiresunet.data.pairing import PairedFiles
from multiresunet.data.readers import Array, Decoded
from multiresunet.data.readers.several import is_litter
from multiresunet.data.sources.drawn import class_names
from multiresunet.errors import UserError
from multiresunet.files import replacing, some_of, write_json

DATASET = "dataset.json"
CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")
ENDINGS = (".nii.gz", ".nrrd", ".mha", ".png", ".bmp", ".tif")  # that nnU-Net reads by itself
IGNORE = "ignore"


@dataclass(frozen=True)
class Task:
    """What an nnU-Net folder holds.

    paired: as `pairing.pair` returns it.
    rule: of the masks.
    channels: their names, in order.
    said: remarks for the user.
    """

    paired: PairedFiles
    rule: dict[str, Any]
    channels: list[str]
    said: list[str]


def read(folder: Path) -> Task:
    """The training cases of imagesTr/ and labelsTr/, with the labels of dataset.json (nnU-Net's, or the Decathlon's).

    Raises:
        UserError: naming what is missing, or doesn't fit together.
    """
    tree = _tree(folder)
    ending = str(tree.get("file_ending") or "")
    images, labels = (_files(folder / role, ending) for role in ("imagesTr", "labelsTr"))
    channels = _channels(folder, tree)
    cases: dict[str, list[Path]] = {}
    for path in images:
        name = sample_name(path.name)
        found = CHANNEL.match(name)
        known = name if any(sample_name(one.name) == name for one in labels) or not found else found["case"]
        cases.setdefault(known, []).append(path)
    masks = {sample_name(path.name): path for path in labels}
    lone = sorted(cases.keys() ^ masks.keys())
    if lone:
        raise UserError(f"{folder}: {some_of(lone)} has only an image or only a label; add the missing one")
    odd = sorted(case for case, files in cases.items() if len(files) not in (1, len(channels)))
    if odd:
        raise UserError(
            f"{folder}: {some_of(odd)} has {len(cases[odd[0]])} files, where {DATASET} names {len(channels)} channels"
        )
    paired = []
    for case, files in sorted(cases.items()):
        inside = [sample_name(file.name) if len(files) > 1 else None for file in files]
        image = JOIN.join(place("images", case, file, inside=name) for file, name in zip(files, inside, strict=True))
        paired.append((Sample(case, image, place("masks", case, masks[case])), [*files, masks[case]]))
    manifest.check_names(folder, cases)
    rule, said = _rule(folder, tree)
    tests = len(list((folder / "imagesTs").glob("[!.]*"))) if (folder / "imagesTs").is_dir() else 0
    said += [f"imagesTs: {tests} files without labels are left out"] if tests else []
    return Task(paired, rule, channels, said)


def write(name: str, dataset: Dataset, raw: Path, target: Path, original: Path | None = None) -> list[str]:
    """Write a fetched data set as an nnU-Net folder; files go over as they are where nnU-Net can read them so.

    Args:
        name: for messages.
        dataset: its entry.
        raw: its folder, data/raw/<name>.
        target: the new folder.
        original: a dataset.json that came with the data; its names of channels and labels are kept.

    Returns:
        What was done, in words.

    Raises:
        UserError: naming the file that can't be read, or if the folder is there already.
    """
    if target.exists():
        raise UserError(f"{target}: is there already; name a new folder")
    samples = manifest.read(raw)
    endings = {extension(file) for s in samples for cell in (s.image, s.mask) for file in manifest.parts(cell)}
    ending = endings.pop() if len(endings) == 1 and endings <= set(ENDINGS) else ""
    first = load_image(raw, samples[0].image, dataset)
    ending, as_is = ending or (".png" if first.array.ndim == 3 else ".nii.gz"), bool(ending)
    labels, exact = _labels(dataset.mask)
    kept = 0
    with replacing(target) as draft:
        for role in ("imagesTr", "labelsTr"):
            (draft / role).mkdir()
        for sample in samples:
            kept += _image(raw, sample, dataset, draft / "imagesTr", ending if as_is else None, ending)
            goal = draft / "labelsTr" / f"{sample.sample}{ending}"
            if as_is and exact and JOIN not in sample.mask:
                shutil.copyfile(raw / sample.mask, goal)
            else:
                _mask(raw, sample, dataset, goal)
        tree = _tree(original.parent) if original and original.is_file() else {}
        written = {
            "channel_names": tree.get("channel_names")
            or tree.get("modality")
            or {str(channel): f"channel_{channel}" for channel in range(dataset.channels)},
            "labels": _original_labels(tree) if exact and tree else labels,
            "numTraining": len(samples),
            "file_ending": ending,
        }
        write_json(draft / DATASET, written)
    masks = "as they are" if as_is and exact else f"numbered 0 to {len(labels) - 1}"
    return [f"{name}: {len(samples)} cases in {target}", f"images: {kept} files as they are; labels: {masks}"]


def _tree(folder: Path) -> dict[str, Any]:
    path = folder / DATASET
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; name the folder of one nnU-Net data set or Decathlon task") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({str(error)[:200]}); fix it") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("labels"), dict):
        raise UserError(f"{path}: has no labels; see whether it is nnU-Net's")
    return tree


def _files(folder: Path, ending: str) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: this folder is missing; it holds the training files")
    found = sorted(path for path in folder.iterdir() if path.is_file() and not is_litter(path))
    found = [path for path in found if (path.name.endswith(ending) if ending else path.suffix != ".json")]
    if not found:
        raise UserError(f"{folder}: holds no file{f' that ends in {ending}' if ending else ''}; see {DATASET}")
    return found


def _channels(folder: Path, tree: dict[str, Any]) -> list[str]:
    names = tree.get("channel_names") or tree.get("modality") or {"0": "image"}
    try:
        return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]
    except (AttributeError, ValueError):
        raise UserError(f'{folder / DATASET}: channel_names aren\'t names by number; write {{"0": "MR"}}') from None


def _original_labels(tree: dict[str, Any]) -> dict[str, Any]:
    """Number (or numbers) by name, whichever way round dataset.json has them."""
    labels = tree["labels"]
    if all(re.fullmatch(r"\d+", str(key)) and isinstance(value, str) for key, value in labels.items()):
        return {value: int(key) for key, value in labels.items()}
    return dict(labels)


def _rule(folder: Path, tree: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The masks' rule of the labels that dataset.json names."""
    said = []
    try:
        numbers = {name: _numbers(value) for name, value in _original_labels(tree).items()}
    except (TypeError, ValueError):
        raise UserError(f"{folder / DATASET}: labels aren't whole numbers by name; fix it") from None
    ignore = numbers.pop(IGNORE, None)
    inside = sorted({one for values in numbers.values() for one in values} - {0})
    if not inside:
        raise UserError(f"{folder / DATASET}: names no label but the background; add one")
    if ignore is not None and (len(ignore) != 1 or ignore[0] in (0, *inside)):
        raise UserError(f"{folder / DATASET}: {IGNORE} is {ignore}; give it one number that no other label has")
    named = {name: [one for one in values if one] for name, values in numbers.items() if set(values) != {0}}
    if sum(map(len, named.values())) != len(inside):
        said.append("labels: regions overlap, so each number is a class of its own: " + ", ".join(named))
        named = {f"label_{one}": [one] for one in inside}
    rule: dict[str, Any] = {"values": [0, *inside], "foreground": inside}
    if len(named) > 1:
        names = class_names(named)
        rule["classes"] = {names[name]: values for name, values in named.items()}
    return rule | ({} if ignore is None else {"ignore": ignore[0]}), said


def _numbers(value: Any) -> list[int]:
    """A label's number, or a region's numbers.

    Raises:
        TypeError, ValueError: if it has none, or they aren't whole, or too large for any mask.
    """
    found = [int(str(one)) for one in (value if isinstance(value, list) else [value])]
    if not found or max(map(abs, found)) >= 2**31:
        raise ValueError(value)
    return found


def _labels(rule: MaskRule) -> tuple[dict[str, Any], bool]:
    """nnU-Net's labels, counted from 0 without gaps, and whether the masks' own values are these."""
    names = list(rule.classes) if rule.classes else ["foreground"]
    labels: dict[str, Any] = {"background": 0} | {name: number for number, name in enumerate(names, start=1)}
    inside = list(rule.classes.values()) if rule.classes else [rule.foreground or []]
    exact = all(values == [number] for number, values in enumerate(inside, start=1))
    exact &= rule.values == list(range(len(inside) + 1))
    if rule.ignore is not None:
        labels[IGNORE] = len(labels)
        exact &= rule.ignore == labels[IGNORE]
    return labels, exact and rule.colours is None and not rule.alpha


def _image(raw: Path, sample: Sample, dataset: Dataset, target: Path, as_is: str | None, ending: str) -> int:
    """Write a sample's image, one file a channel, or one for all colours; how many went over as they are."""
    files = manifest.parts(sample.image)
    whole = load_image(raw, sample.image, dataset)
    picture = whole.array.ndim == 3 and whole.array.shape[0] == 3 and ending in (".png", ".bmp", ".tif")
    if as_is and dataset.channel is None and (len(files) == len(whole.array) or (len(files) == 1 and picture)):
        for number, file in enumerate(files):
            for source, goal in moves(raw / file, target / f"{sample.sample}_{number:04d}{ending}"):
                shutil.copyfile(source, goal)
        return len(files)
    planes = [whole.array] if picture else [whole.array[n : n + 1] for n in range(len(whole.array))]
    for number, plane in enumerate(planes):
        _save(target / f"{sample.sample}_{number:04d}{ending}", plane, whole)
    return 0


def _mask(raw: Path, sample: Sample, dataset: Dataset, goal: Path) -> None:
    image = load_image(raw, sample.image, dataset)
    mask = load_mask(raw, sample.mask, dataset.mask, image)
    labels = encode_labels(mask.array, dataset.mask)
    labels[ignored(mask.array, dataset.mask)] = len(dataset.mask.classes or [0]) + 1
    _save(goal, labels[None], image)


def _save(path: Path, array: Array, like: Decoded) -> None:
    """Write C×H×W or C×D×H×W; volumes with their file's affine, or with their spacing."""
    if path.name.endswith(".png"):
        if array.dtype not in (np.uint8, np.uint16) or (array.dtype == np.uint16 and len(array) > 1):
            raise UserError(f"{path.name}: {array.dtype} doesn't go into a PNG; convert the images to 8 bits first")
        readers.write_image(path, array)
        return
    if array.ndim == 3:
        raise UserError(f"{path.name}: a picture that can't be written as {path.suffix}; save all files as PNG first")
    volume = array[0] if len(array) == 1 else array
    readers.write_image(path, volume.astype(np.int16) if volume.dtype == bool else volume, like.space)

"""nnU-Net's folders, and the Decathlon's tasks, which are alike: read as pairs, and written."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from multiresunet.config import Dataset, MaskRule
from multiresunet.data import manifest, readers
from multiresunet.data.filing import place
from multiresunet.data.loading import encode_labels, ignored, load_image, load_mask
from multiresunet.data.manifest import JOIN, Sample, extension, sample_name
from multiresunet.data.pairing import PairedFiles
from multiresunet.data.readers import Array, Decoded
from multiresunet.data.readers.several import is_litter
from multiresunet.data.sources.drawn import class_names
from multiresunet.data.space import different
from multiresunet.errors import UserError
from multiresunet.files import replacing, some_of, write_json

DATASET = "dataset.json"
CHANNEL = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")
ENDINGS = (".nii.gz", ".nrrd", ".mha", ".png", ".bmp", ".tif")  # that nnU-Net reads by itself
PICTURES = (".png", ".bmp", ".tif")  # those of them that it reads with scikit-image; the others with SimpleITK
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
    """Write a fetched data set as an nnU-Net folder; files go over as they are where nnU-Net reads in them what we do.

    Args:
        name: for messages.
        dataset: its entry.
        raw: its folder, data/raw/<name>.
        target: the new folder.
        original: a dataset.json that came with the data; its names of channels and labels are kept.

    Returns:
        What was done, in words.

    Raises:
        UserError: naming the file that can't be read or written, or if the folder is there already.
    """
    if target.exists():
        raise UserError(f"{target}: is there already; name a new folder")
    samples = manifest.read(raw)
    endings = {extension(file) for s in samples for cell in (s.image, s.mask) for file in manifest.parts(cell)}
    ending = endings.pop() if len(endings) == 1 and endings <= set(ENDINGS) else ""
    first = load_image(raw, samples[0].image, dataset)
    ending, as_is = ending or (".png" if first.array.ndim == 3 else ".nii.gz"), bool(ending)
    labels, exact = _labels(dataset.mask)
    kept, kept_labels = 0, 0
    with replacing(target) as draft:
        for role in ("imagesTr", "labelsTr"):
            (draft / role).mkdir()
        for sample in samples:
            image = load_image(raw, sample.image, dataset)
            files = [raw / file for file in manifest.parts(sample.image)]
            kept += _image(files, image, draft / "imagesTr" / sample.sample, ending, as_is and dataset.channel is None)
            known = _expected(_encoded(raw, sample, dataset, image)[None], image, ending)
            goal = draft / "labelsTr" / f"{sample.sample}{ending}"
            placed = draft / "imagesTr" / f"{sample.sample}_0000{ending}"
            if as_is and exact and JOIN not in sample.mask and _reads_as(raw / sample.mask, known, beside=placed):
                shutil.copyfile(raw / sample.mask, goal)
                kept_labels += 1
            else:
                _save(goal, known, image, files[0])
        tree = _tree(original.parent) if original and original.is_file() else {}
        names = tree.get("channel_names") or tree.get("modality") or {}
        taken = range(dataset.channels) if dataset.channel is None else [dataset.channel]
        written = {
            "channel_names": {str(n): names.get(str(one), f"channel_{one}") for n, one in enumerate(taken)},
            "labels": _original_labels(tree) if exact and tree else labels,
            "numTraining": len(samples),
            "file_ending": ending,
        }
        if ending == ".tif" and first.array.shape[1:-2] in ((3,), (4,)):  # which it would take for colours
            written["overwrite_image_reader_writer"] = "Tiff3DIO"
        write_json(draft / DATASET, written)
    masks = "as they are" if as_is and exact else f"numbered 0 to {len(labels) - 1}"
    if as_is and exact and kept_labels < len(samples):
        masks = f"{kept_labels} files as they are, {len(samples) - kept_labels} written anew"
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


def _image(files: list[Path], image: Decoded, stem: Path, ending: str, as_is: bool) -> int:
    """Write a sample's image, one file a channel, or one for all colours; how many went over as they are."""
    array = image.array
    picture = array.ndim == 3 and len(array) == 3 and ending in PICTURES
    picture &= array.dtype == np.uint8 or ending == ".tif"  # of other colours nnU-Net reads 8 bits
    planes = [array] if picture else [array[n : n + 1] for n in range(len(array))]
    goals = [stem.with_name(f"{stem.name}_{number:04d}{ending}") for number in range(len(planes))]
    known = [_expected(plane, image, ending) for plane in planes]
    affine = _affine(image)
    sides = None if affine is None else np.linalg.norm(affine[:3, :3], axis=0)
    as_is = as_is and len(files) == len(planes)
    if as_is and all(_reads_as(file, one, sides=sides) for file, one in zip(files, known, strict=True)):
        for file, goal in zip(files, goals, strict=True):
            shutil.copyfile(file, goal)
        return len(files)
    for goal, one in zip(goals, known, strict=True):
        _save(goal, one, image, files[0])
    return 0


def _encoded(raw: Path, sample: Sample, dataset: Dataset, image: Decoded) -> Array:
    """The labels as nnU-Net numbers them, on the image's grid."""
    mask = load_mask(raw, sample.mask, dataset.mask, image)
    labels = encode_labels(mask.array, dataset.mask)
    labels[ignored(mask.array, dataset.mask)] = len(dataset.mask.classes or [0]) + 1
    return labels


def _expected(array: Array, image: Decoded, ending: str) -> Array:
    """C×H×W or C×D×H×W of an image's grid as nnU-Net has it: a volume's axes in its file's order, z first."""
    if array.ndim == 3 or ending in PICTURES:
        return array
    stored = array if image.space is None else image.space.to_file(array)
    return stored.transpose(0, 3, 2, 1)


def _reads_as(
    path: Path, known: Array, *, sides: NDArray[np.float64] | None = None, beside: Path | None = None
) -> bool:
    """Whether nnU-Net reads just this in a file, with the libraries that it uses.

    Args:
        path: the file.
        known: as `_expected` returns it.
        sides: of a voxel, in mm.
        beside: the file whose grid it must have, by the header.
    """
    try:
        if path.name.endswith(PICTURES):
            from skimage import io

            seen = io.imread(path) if known.ndim == 3 else tifffile.imread(path)
            seen = np.moveaxis(seen, -1, 0) if seen.ndim == known.ndim == 3 else seen[None]
        else:
            import SimpleITK as sitk  # noqa: N813 - its users' name for it

            sitk.ProcessObject.SetGlobalWarningDisplay(False)  # as the reader of these formats has it
            volume = sitk.ReadImage(str(path))
            seen = sitk.GetArrayFromImage(volume)[None]
            if sides is not None and different(volume.GetSpacing(), sides.tolist()):
                return False
            if beside is not None and not volume.IsSameImageGeometryAs(sitk.ReadImage(str(beside)), 1e-5, 1e-5):
                return False
    except Exception:  # whatever these libraries raise, nnU-Net can't read it
        return False
    if seen.shape != known.shape or "f" not in seen.dtype.kind + known.dtype.kind:
        return np.array_equal(seen, known)
    rounding = 1e-6 * float(np.abs(known, where=np.isfinite(known), out=np.zeros(known.shape)).max())
    return np.allclose(seen, known, atol=rounding, equal_nan=True)  # scaled values: nnU-Net's have 32 bits


def _affine(image: Decoded) -> NDArray[np.float64] | None:
    """Of a volume in its file's order of axes; with its spacing alone where the file doesn't say where it lies."""
    if image.space is not None:
        return image.space.file_affine
    return np.diag([*image.spacing, 1.0]) if image.array.ndim == 4 and image.spacing else None


def _save(path: Path, array: Array, image: Decoded, source: Path) -> None:
    """Write what `_expected` returns, so that nnU-Net reads it, and lies where the image, or its first file, does."""
    if path.name.endswith((".png", ".bmp", ".nii.gz")) and array.ndim != (4 if path.suffix == ".gz" else 3):
        raise UserError(f"{source}: pictures and volumes are no one data set for nnU-Net; take this file out")
    if path.name.endswith((".png", ".bmp")):
        if array.dtype not in ((np.uint8, np.uint16) if path.suffix == ".png" else (np.uint8,)):
            kind = path.suffix.removeprefix(".").upper()
            raise UserError(f"{path.name}: {array.dtype} doesn't go into a {kind}; convert the images to 8 bits first")
        readers.write_image(path, array)
        return
    array = _plain(array)
    if path.name.endswith(".tif"):
        colours = array.ndim == 3 and len(array) == 3
        array, kind = (np.moveaxis(array, 0, -1), "rgb") if colours else (array[0], "minisblack")
        tifffile.imwrite(path, array, photometric=kind, compression="zlib")
    elif path.name.endswith(".nii.gz"):
        from multiresunet.data.readers.nifti import write_nifti  # here, since few data sets need nibabel

        write_nifti(path, array[0].transpose(2, 1, 0), _affine(image))
    else:
        import SimpleITK as sitk  # noqa: N813 - as above

        made, header = sitk.GetImageFromArray(np.ascontiguousarray(array[0])), sitk.ImageFileReader()
        header.SetFileName(str(source))
        header.ReadImageInformation()
        made.SetSpacing(header.GetSpacing())
        made.SetOrigin(header.GetOrigin())
        made.SetDirection(header.GetDirection())
        sitk.WriteImage(made, str(path), True)


def _plain(array: Array) -> Array:
    """The same values in a type that all these formats have."""
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        small = np.iinfo(np.int32)
        fits = not array.size or (array.min() >= small.min and array.max() <= small.max)
        return array.astype(np.int32 if fits else np.float64)
    return array.astype({"bool": np.int16, "float16": np.float32}.get(array.dtype.name, array.dtype), copy=False)

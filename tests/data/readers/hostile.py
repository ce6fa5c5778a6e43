"""Damaged and hostile files of every kind that users give, read one after the other in a process of bounded memory.

    python -m tests.data.readers.hostile KIND NUMBER FOLDER

reads NUMBER of them and prints what it saw as JSON. What isn't an array or one line is a failure, and so is a process
that ends, or that takes more memory than `ROOM`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import resource
import shutil
import struct
import sys
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import roifile
import SimpleITK as simpleitk  # noqa: N813
import tifffile
import zarr
from PIL import Image

from multiresunet.data import manifest, nnunet, pairing, readers
from multiresunet.data.sources import drawn
from multiresunet.errors import UserError

ROOT = Path(__file__).parents[3]
ROOM = 3 * 2**30  # bytes of address space beyond what modules take: a file may take two GiB
SLOW = 20.0  # seconds of processor time that no file may take
RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
VOLUME = RNG.integers(0, 900, (5, 6, 7), dtype=np.int16)
NUMBERS = (0, 1, -1, 2, 127, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 10**30)
NODES: tuple[Any, ...] = (None, True, "", "x", -1, 0, 1.5, 1e308, float("nan"), 2**70, [], {}, [[]], [1], {"a": 1}, "9")


def _picture(path: Path, array: Any, **options: Any) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def _palette(path: Path) -> Path:
    picture = Image.fromarray((GREY // 64).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(path)
    return path


def _tiff(path: Path, array: Any, **options: Any) -> Path:
    tifffile.imwrite(path, array, **options)
    return path


def _nibabel(kind: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        nibabel.save(kind(VOLUME, np.diag([1.0, 2.0, 3.0, 1.0])), path)
        return path

    return write


def _itk(path: Path) -> Path:
    image = simpleitk.GetImageFromArray(VOLUME)
    image.SetSpacing((1.0, 2.0, 3.0))
    simpleitk.WriteImage(image, path)
    return path


def _dicom(path: Path) -> Path:
    """A slice, or a folder of slices."""
    places = [path] if path.suffix else [path / f"{n}.dcm" for n in range(4)]
    writer = simpleitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        image = simpleitk.GetImageFromArray(VOLUME[:1])
        for tag, value in {
            "0008|0060": "CT",
            "0020|000e": "1.2.3",
            "0020|0032": f"0\\0\\{3 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number),
        }.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(place))
        writer.Execute(image)
    return path


def _npz(path: Path) -> Path:
    np.savez_compressed(path, a=VOLUME)
    return path


def _npy(path: Path) -> Path:
    np.save(path, VOLUME)
    return path


def _zarr(path: Path) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    group.create_array("0", data=VOLUME, chunks=(5, 6, 7))
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "coordinateTransformations": [], "scale": [2.0, 1.0, 1.0]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    return path


SQUARE = [[2, 2], [9, 2], [9, 8], [2, 8]]
LABELME = {
    "shapes": [
        {"label": "cell", "points": SQUARE, "shape_type": "polygon"},
        {"label": "ring", "points": SQUARE[:2], "shape_type": "circle"},
        {"label": "cell", "points": SQUARE[::2], "shape_type": "rectangle"},
    ],
    "imageHeight": 13,
    "imageWidth": 17,
}
COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 17, "height": 13}],
    "categories": [{"id": 4, "name": "cell"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 4, "segmentation": [[2, 2, 9, 2, 9, 8]]},
        {"id": 2, "image_id": 1, "category_id": 4, "segmentation": {"size": [13, 17], "counts": [20, 9, 192]}},
        {"id": 3, "image_id": 1, "category_id": 4, "segmentation": {"size": [13, 17], "counts": "d09P6"}},
    ],
}
DATASET = {
    "channel_names": {"0": "MR"},
    "labels": {"background": 0, "front": 1, "back": [2, 3], "ignore": 4},
    "file_ending": ".nii.gz",
    "numTraining": 1,
}
TABLE = "sample,image,mask,group\na,a.png,m.png,g\nb,b.png,n.png,g\n"


def _json(tree: Any) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_text(json.dumps(tree))
        return path

    return write


def _roi(path: Path) -> Path:
    roi = roifile.ImagejRoi.frompoints(np.array(SQUARE))
    if path.suffix == ".roi":
        roi.tofile(path)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("one.roi", roi.tobytes())
    return path


def _text(path: Path) -> Path:
    path.write_text(TABLE)
    return path


# What is done with a file: how readers, `data add` and the stages open it.


def _decode(path: Path) -> None:
    try:
        assert readers.decode_mask(path).array.ndim in (2, 3)
    except UserError as error:  # colours, for one
        assert str(path) in str(error)
    assert readers.decode_image(path).array.ndim in (3, 4)


def _draw(path: Path) -> None:
    shutil.rmtree(path.parent / "drawn", ignore_errors=True)
    drawn.draw([_picture(path.parent / "a.png", GREY)], [path], path.parent / "drawn")


def _task(path: Path) -> None:
    nnunet.read(path.parent)


def _table(path: Path) -> None:
    try:
        manifest.read(path.parent)
    finally:
        pairing.listed(path)


Kind = tuple[str, Callable[[Path], Path], Callable[[Path], None]]
KINDS: dict[str, Kind] = {
    "png": ("a.png", lambda p: _picture(p, COLOUR), _decode),
    "png16": ("a.png", lambda p: _tiff(p.with_suffix(".tif"), DEEP) and _deep(p), _decode),
    "palette": ("a.png", _palette, _decode),
    "gif": ("a.gif", _palette, _decode),
    "bmp": ("a.bmp", lambda p: _picture(p, GREY), _decode),
    "jpeg": ("a.jpg", lambda p: _picture(p, COLOUR, exif=_turned()), _decode),
    "webp": ("a.webp", lambda p: _picture(p, COLOUR), _decode),
    "tiff": ("a.tif", lambda p: _tiff(p, COLOUR, photometric="rgb"), _decode),
    "tiff_stack": ("a.tif", lambda p: _tiff(p, VOLUME, compression="zlib", imagej=True), _decode),
    "tiff_tiles": ("a.tif", lambda p: _tiff(p, DEEP, compression="lzw", tile=(16, 16), predictor=True), _decode),
    "tiff_ome": ("a.ome.tif", lambda p: _tiff(p, VOLUME, metadata={"axes": "ZYX"}), _decode),
    "tiff_jpeg": ("a.tif", lambda p: _tiff(p, COLOUR, compression="jpeg", photometric="rgb"), _decode),
    "nifti": ("a.nii", _nibabel(nibabel.Nifti1Image), _decode),
    "nifti2": ("a.nii", _nibabel(nibabel.Nifti2Image), _decode),
    "nifti_gz": ("a.nii.gz", _nibabel(nibabel.Nifti1Image), _decode),
    "nifti_pair": ("a.hdr", _nibabel(nibabel.Nifti1Pair), _decode),
    "analyze": ("a.hdr", _nibabel(nibabel.AnalyzeImage), _decode),
    "mgh": ("a.mgh", _nibabel(nibabel.MGHImage), _decode),
    "mgz": ("a.mgz", _nibabel(nibabel.MGHImage), _decode),
    "nrrd": ("a.nrrd", _itk, _decode),
    "nhdr": ("a.nhdr", _itk, _decode),
    "mha": ("a.mha", _itk, _decode),
    "mhd": ("a.mhd", _itk, _decode),
    "dicom": ("a.dcm", _dicom, _decode),
    "dicom_folder": ("a", _dicom, _decode),
    "npy": ("a.npy", _npy, _decode),
    "npz": ("a.npz", _npz, _decode),
    "zarr": ("a.zarr", _zarr, _decode),
    "labelme": ("a.json", _json(LABELME), _draw),
    "coco": ("a.json", _json(COCO), _draw),
    "roi": ("a.roi", _roi, _draw),
    "roi_zip": ("a.zip", _roi, _draw),
    "dataset_json": ("dataset.json", _json(DATASET), _task),
    "manifest": ("manifest.csv", _text, _table),
}


def _deep(path: Path) -> Path:
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(DEEP))
    return path


def _turned() -> Any:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def changed(content: bytes, rng: random.Random) -> bytes:
    """A file's bytes with some of them cut off, moved, or replaced, most often near its front."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        front = min(len(found), rng.choice((64, 400, len(found))))
        place, how = rng.randrange(max(front, 1)), rng.randrange(8)
        if how == 0:
            del found[place:]
        elif how == 1:
            del found[place : place + rng.randrange(1, 9)]
        elif how == 2:
            found[place:place] = rng.randbytes(rng.randrange(1, 9))
        elif how == 3:
            form = rng.choice(("<h", ">h", "<i", ">i", "<q", ">q"))
            size = struct.calcsize(form)
            value = rng.choice(NUMBERS) & (256**size - 1)
            found[place : place + size] = value.to_bytes(size, "little" if form[0] == "<" else "big")
        elif how == 4:
            value = rng.choice((float("nan"), float("inf"), -1e30, 0.0, 1e30, 1e-30))
            found[place : place + 4] = struct.pack(rng.choice(("<f", ">f")), value)
        elif how == 5 and (numbers := list(re.finditer(rb"-?\d+(\.\d+)?", bytes(found[:front])))):
            one = rng.choice(numbers)
            odd = (*map(str, NUMBERS), "nan", "1e400", "", "x", "-0.5", "9" * 40)
            found[one.start() : one.end()] = rng.choice(odd).encode()
        elif how == 6 and (words := list(re.finditer(rb"[A-Za-z]{3,}", bytes(found[:front])))):
            one, other = rng.choice(words), rng.choice(words)
            found[one.start() : one.end()] = other[0]
        elif place < len(found):
            found[place] = rng.randrange(256)
    return bytes(found)


def bent(tree: Any, rng: random.Random) -> Any:
    """A JSON tree with one of its nodes replaced, or taken out."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    tree = json.loads(json.dumps(tree))
    walk(tree)
    node, key = rng.choice(places)
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = rng.choice(NODES)
    return tree


def spoil(path: Path, rng: random.Random) -> None:
    """Damage a file, or one file of those that make an image."""
    files = sorted(one for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())
    if path.suffix in (".hdr", ".nhdr", ".mhd") and rng.random() < 0.2:
        files = [one for one in path.parent.iterdir() if one.stem == path.stem and one != path]
    file = rng.choice(files)
    content = file.read_bytes()
    structured = file.suffix == ".json" or file.name in (".zattrs", ".zarray", ".zgroup")
    if structured and rng.random() < 0.8:
        tree = json.loads(content)
        for _ in range(rng.choice((1, 1, 2, 3))):
            tree = bent(tree, rng) if isinstance(tree, (dict, list)) and tree else tree
        content = json.dumps(tree).encode()
    elif file.suffix in (".gz", ".mgz") and rng.random() < 0.8:
        content = gzip.compress(changed(gzip.decompress(content), rng), 1)
    elif file.suffix in (".npz", ".zip") and rng.random() < 0.7:
        with zipfile.ZipFile(file) as archive:
            members = {name: changed(archive.read(name), rng) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return
    else:
        content = changed(content, rng)
    file.write_bytes(content)


def run(kind: str, number: int, folder: Path) -> dict[str, Any]:
    """Read `number` damaged files; what was read, what was refused, and what went wrong."""
    name, write, use = KINDS[kind]
    place = folder / kind
    place.mkdir(parents=True)
    if kind == "dataset_json":
        for role in ("imagesTr", "labelsTr"):
            (place / role).mkdir()
            _nibabel(nibabel.Nifti1Image)(place / role / f"a{'_0000' * (role == 'imagesTr')}.nii.gz")
    if kind == "manifest":
        for each in ("a.png", "m.png", "b.png", "n.png"):
            _picture(place / each, GREY)
    use(write(place / name))  # the file itself is sound
    saved = folder / f"{kind}-sound"
    shutil.copytree(place, saved)
    room(ROOM)
    found: dict[str, Any] = {"read": 0, "refused": 0, "failures": []}
    for seed in range(number):
        shutil.rmtree(place)
        shutil.copytree(saved, place)
        spoil(place / name, random.Random(f"{kind} {seed}"))
        start = time.process_time()
        try:
            use(place / name)
            found["read"] += 1
        except UserError as error:
            found["refused"] += 1
            line = str(error)
            if len(line.splitlines()) != 1 or str(place) not in line or len(line) > 1500:
                found["failures"].append(f"{seed}: not one line with the file's name: {line!r}")
        except BaseException:
            found["failures"].append(f"{seed}: {traceback.format_exc()[-1500:]}")
        if time.process_time() - start > SLOW:
            found["failures"].append(f"{seed}: took {time.process_time() - start:.0f} s")
    return found


def room(size: int) -> None:
    """Let this process take `size` bytes of address space more than it has."""
    with Path("/proc/self/statm").open() as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kinds = list(KINDS) if sys.argv[1] == "all" else sys.argv[1].split(",")
    for each in kinds:
        print(json.dumps({"kind": each, **run(each, int(sys.argv[2]), Path(sys.argv[3]))}), flush=True)

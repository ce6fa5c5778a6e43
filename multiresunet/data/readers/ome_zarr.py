"""OME-Zarr: a folder that is one image, of which the full resolution is read; needs the extra `large`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiresunet.data.readers.common import Read, check_size
from multiresunet.errors import UserError
from multiresunet.registries import READERS

MM = {"millimeter": 1.0, "micrometer": 1e-3, "nanometer": 1e-6, "centimeter": 10.0, "meter": 1e3}


@READERS.register("zarr", suffixes=(".zarr",))
def read_zarr(path: Path, as_mask: bool) -> Read:
    """C×H×W or C×D×H×W of the first multiscale's full resolution (NGFF 0.4 and 0.5), or of a bare array."""
    if path.is_file():
        raise UserError(f"{path}: an OME-Zarr is a folder, this is a file; unpack it")
    try:
        import zarr
    except ImportError:
        raise UserError(f"{path}: reading OME-Zarr needs zarr; install it: pip install 'multiresunet[large]'") from None

    try:
        opened, axes, steps = _full_resolution(zarr.open(str(path), mode="r"))
        if "pickle" in str(opened.metadata):
            raise ValueError("it holds Python's pickles, which run whatever programs are in them")
    except Exception as error:  # what zarr raises for metadata that isn't there, or isn't right, is of many kinds
        raise UserError(f"{path}: no OME-Zarr that can be read ({str(error)[:200]}); write it again") from None
    names = [str(axis["name"]).lower() for axis in axes] or list("tczyx")[-opened.ndim :]
    check_size(path, int(np.prod(opened.shape)) * opened.dtype.itemsize)
    array: NDArray[Any] = np.asarray(opened[...])
    keep = [i for i, name in enumerate(names) if not (name in ("t", "c") and array.shape[i] == 1)]
    keep = [i for i in keep if not (names[i] == "z" and array.shape[i] == 1)]
    array = array.reshape([array.shape[i] for i in keep])
    kept = [names[i] for i in keep]
    if "t" in kept:
        raise UserError(f"{path}: holds {array.shape[kept.index('t')]} time steps; save one, or each by itself")
    space = [i for i in keep if names[i] != "c"]
    if len(space) not in (2, 3) or array.dtype.kind not in "biuf":
        raise UserError(f"{path}: axes {''.join(kept)} of {array.dtype}; an image has y and x, a volume z too")
    array = np.moveaxis(array, kept.index("c"), 0) if "c" in kept else array[None]
    units = [MM.get(str(axes[i].get("unit", "")), 0.0) if axes else 0.0 for i in space]
    spacing = tuple(steps[i] * unit for i, unit in zip(space, units, strict=True)) if steps and all(units) else None
    array = array.astype(np.uint8) if array.dtype == bool else array.astype(array.dtype.newbyteorder("="), copy=False)
    return Read(array, (), "OME-Zarr", None, spacing)


def _full_resolution(opened: Any) -> tuple[Any, list[dict[str, Any]], list[float] | None]:
    """The array of an opened Zarr, the names of its axes, and its steps along them.

    Raises:
        ValueError: if it has no multiscales.
    """
    if hasattr(opened, "shape"):
        return opened, [], None
    attributes = dict(opened.attrs)
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        raise ValueError("a group without multiscales; name the folder of one image")
    first = scales[0]["datasets"][0]
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in scales[0].get("axes", [])]
    # The level's own scale, then that of all levels (NGFF 0.4, "multiscales" metadata).
    scaled = [
        np.asarray(one["scale"], dtype=float)
        for holder in (first, scales[0])
        for one in holder.get("coordinateTransformations", [])
        if one.get("type") == "scale"
    ]
    return opened[first["path"]], axes, np.prod(scaled, axis=0).tolist() if scaled else None

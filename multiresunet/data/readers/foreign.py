"""Formats that aren't read: what they are, and what makes images of them."""

from __future__ import annotations

from pathlib import Path

DRAWN = "`multiresunet data add NAME --images … --annotations …` draws it to a mask"
BIOFORMATS = "convert it with Bio-Formats (`bfconvert in out.ome.tif`) or Fiji"
ARRAYS = "save each array as .npy, TIFF or NIfTI"
FOREIGN = {
    ".json": f"LabelMe or COCO annotations? {DRAWN}",
    ".roi": f"an ImageJ ROI; {DRAWN}",
    ".zip": f"an archive, or ImageJ's set of ROIs; unpack it, or, if these are ROIs, {DRAWN}",
    ".xml": "annotations? export them as LabelMe or COCO JSON, or as masks",
    ".txt": "annotations? export them as LabelMe or COCO JSON, or as masks",
    ".svg": "a drawing; export it as PNG",
    ".czi": f"Zeiss CZI; {BIOFORMATS}",
    ".lif": f"Leica LIF; {BIOFORMATS}",
    ".nd2": f"Nikon ND2; {BIOFORMATS}",
    ".oib": f"Olympus OIB; {BIOFORMATS}",
    ".oif": f"Olympus OIF; {BIOFORMATS}",
    ".vsi": f"Olympus VSI; {BIOFORMATS}",
    ".ims": f"Imaris IMS; {BIOFORMATS}",
    ".lsm": f"Zeiss LSM; {BIOFORMATS}",
    ".svs": "a whole slide; cut it into tiles (`vips dzsave`, QuPath) and save them as TIFF or PNG",
    ".ndpi": "a whole slide; cut it into tiles (`vips dzsave`, QuPath) and save them as TIFF or PNG",
    ".mrxs": "a whole slide; cut it into tiles (`vips dzsave`, QuPath) and save them as TIFF or PNG",
    ".mat": f"a MATLAB file; {ARRAYS}",
    ".h5": f"HDF5; {ARRAYS}",
    ".hdf5": f"HDF5; {ARRAYS}",
    ".mnc": "MINC; convert it with `mnc2nii`",
    ".raw": "voxels without a header; give the .mhd or .nhdr that belongs to it",
    ".zraw": "voxels without a header; give the .mhd that belongs to it",
    ".gz": "a compressed file; only .nii.gz is read as it is, so unpack it",
    ".pdf": "a document; export its pictures",
    ".heic": "a photograph of Apple's; export it as JPEG or PNG",
}


def remedy(path: Path) -> str | None:
    """What a file of a known, unread format is, and what to do; None for others."""
    return FOREIGN.get(path.suffix.lower())

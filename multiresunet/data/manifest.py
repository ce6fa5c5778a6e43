"""manifest.csv: which image belongs to which mask, and to which group."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from multiresunet.errors import UserError
from multiresunet.files import write_csv

NAME = "manifest.csv"


@dataclass(frozen=True, order=True)
class Sample:
    """One image with its mask; paths are relative to the data set's folder."""

    sample: str
    image: str
    mask: str
    group: str = ""
    image_sha256: str = ""
    mask_sha256: str = ""


def write(folder: Path, samples: list[Sample]) -> None:
    """Write the manifest of a raw data set, sorted by sample."""
    write_csv(folder / NAME, pd.DataFrame([asdict(s) for s in sorted(samples)]))


def read(folder: Path) -> list[Sample]:
    """Read a manifest; `image` and `mask` are required, all other columns may be absent.

    Raises:
        UserError: if it can't be parsed, lacks a column, leaves a cell empty, or names something twice.
    """
    path = folder / NAME
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise UserError(f"{path}: not a readable CSV file ({error}); mend or remove it") from None
    for column in ("image", "mask"):
        if column not in table:
            raise UserError(f"{path}: column {column!r} is missing; there are {', '.join(table.columns)}")
        empty = table.index[table[column] == ""]
        if len(empty):
            raise UserError(f"{path}: line {empty[0] + 2} has no {column}; fill it in or remove the line")
    if "sample" not in table:
        table["sample"] = [sample_name(image) for image in table["image"]]
    repeated = sorted(set(table["sample"][table["sample"].duplicated()]))
    if repeated:
        raise UserError(f"{path}: sample {repeated[0]!r} occurs more than once; give each sample one line")
    known = [field.name for field in fields(Sample) if field.name in table]
    return sorted(Sample(**row) for row in table[known].to_dict("records"))  # type: ignore[misc]  # keys are str


def sample_name(image: str) -> str:
    """The sample's name: the file's, without folder and extension (`.nii.gz` is one)."""
    name = Path(image).name
    return name.removesuffix(".nii.gz") if name.endswith(".nii.gz") else Path(name).stem

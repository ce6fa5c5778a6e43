"""manifest.csv: which image belongs to which mask, and to which group."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from multiresunet.errors import UserError
from multiresunet.files import sha256, write_csv

NAME = "manifest.csv"
SEVERAL = ";"


@dataclass(frozen=True, order=True)
class Sample:
    """One image with its mask; paths are relative to the data set's folder.

    A path may name several files, joined by `;`: an image's channels, in that order, or a mask's instances.
    """

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
        UserError: if it is missing, can't be parsed, lacks a column, leaves a cell empty, names something
            twice, or names a file outside the folder.
    """
    path = folder / NAME
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path}: this file is missing; `dvc repro` brings the data set") from None
    except ValueError as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise UserError(f"{path}: not a readable CSV file ({error}); mend or remove it") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus cells for row names
        raise UserError(f"{path}: lines have more cells than the header; put quotes around cells with commas")
    for column in ("image", "mask"):
        if column not in table:
            raise UserError(f"{path}: column {column!r} is missing; there are {', '.join(table.columns)}")
        empty = table.index[table[column] == ""]
        if len(empty):
            raise UserError(f"{path}: line {empty[0] + 2} has no {column}; fill it in or remove the line")
        outside = [file for path in table[column] for file in {path, *path.split(SEVERAL)} if not _is_inside(file)]
        if outside:
            raise UserError(f"{path}: {column} {outside[0]!r} isn't in {folder}; name files relative to that folder")
    if "sample" not in table:
        table["sample"] = [sample_name(image) for image in table["image"]]
    check_names(path, table["sample"])
    files = pd.Series([file for row in (table["image"], table["mask"]) for cell in row for file in parts(folder, cell)])
    for what, names in (("sample", table["sample"]), ("file", files)):
        repeated = sorted(set(names[names.duplicated()]))
        if repeated:
            raise UserError(f"{path}: {what} {repeated[0]!r} occurs more than once; give each {what} one place")
    for column in {"image_sha256", "mask_sha256"} & set(table.columns):
        table[column] = table[column].str.lower()
    known = [field.name for field in fields(Sample) if field.name in table]
    return sorted(Sample(**{str(key): cell for key, cell in row.items()}) for row in table[known].to_dict("records"))


def check_names(where: Path, names: Iterable[str]) -> None:
    """Refuse names of samples that can't name files in any folder.

    Raises:
        UserError: naming the first that is empty, starts with a dot, or holds a slash or a control character.
    """
    for name in names:
        if not name or name.startswith(".") or {"/", "\\"} & set(name) or not _is_text(name):
            raise UserError(
                f"{where}: sample {name!r} can't name a file; use letters, digits, spaces, dots, dashes or underscores"
            )


def sample_name(image: str) -> str:
    """The sample's name: the file's, without folder and extension (`.nii.gz` is one)."""
    name = Path(image).name
    return name.removesuffix(".nii.gz") if name.endswith(".nii.gz") else Path(name).stem


def parts(folder: Path, path: str) -> list[str]:
    """The files that a path names: itself, or several joined by `;`, which a file's own name may hold too."""
    several = path.split(SEVERAL)
    return several if len(several) > 1 and not (folder / path).is_file() and (folder / several[0]).is_file() else [path]


def sha256_of(folder: Path, path: str) -> str:
    """SHA-256 of a file; of the SHA-256 of each, one a line, where a path names several."""
    hashes = [sha256(folder / file) for file in parts(folder, path)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not (pure.is_absolute() or PureWindowsPath(path).drive or ".." in pure.parts) and _is_text(path)


def _is_text(name: str) -> bool:
    """No control characters, which would break tables and digests, and nothing that isn't Unicode."""
    return not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)

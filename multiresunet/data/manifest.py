"""manifest.csv: which image belongs to which mask, and to which group."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from multiresunet.errors import UserError
from multiresunet.files import write_csv

NAME = "manifest.csv"
JOIN = ";"  # between the files of one image or one mask
NAME_BYTES, PATH_BYTES = 255, 4000  # that disks have room for
DOUBLED = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")  # extensions of two words


@dataclass(frozen=True, order=True)
class Sample:
    """One image with its mask; paths are relative to the data set's folder.

    Where an image has a file for each channel, or a mask a file for each instance, the cell has all their paths, and
    that of the hashes all their hashes, in the same order, with ";" between them.
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
    if not path.is_file():
        raise UserError(f"{path}: this file is missing; `dvc repro` fetches the data set")
    lines = table(path)
    for column in ("image", "mask"):
        if any("\\" in cell for cell in lines[column]):
            lines[column] = [_slashed(folder, cell) for cell in lines[column]]
        outside = [file for cell in lines[column] for file in parts(cell) if not is_inside(file)]
        if outside:
            raise UserError(f"{path}: {column} {outside[0]!r} isn't in {folder}; name files relative to that folder")
    if "sample" not in lines:
        lines["sample"] = [sample_name(image) for image in lines["image"]]
    check_names(path, lines["sample"])
    files = pd.concat([lines["image"], lines["mask"]]).str.split(JOIN).explode()
    for what, names in (("sample", lines["sample"]), ("file", files)):
        repeated = sorted(set(names[names.duplicated()]))
        if repeated:
            raise UserError(f"{path}: {what} {repeated[0]!r} occurs more than once; give each {what} one place")
    for column in {"image_sha256", "mask_sha256"} & set(lines.columns):
        lines[column] = lines[column].str.lower()
    known = [field.name for field in fields(Sample) if field.name in lines]
    return sorted(Sample(**{str(key): cell for key, cell in row.items()}) for row in lines[known].to_dict("records"))


def table(path: Path) -> pd.DataFrame:
    """A CSV file with a column for images and one for masks, all cells as texts; semicolons or tabs part them, too.

    Raises:
        UserError: if it is missing, can't be parsed, lacks a column, or leaves a cell empty.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        separator = next((sign for sign in (",", JOIN, "\t") if sign in head), ",")
        found = pd.read_csv(path, dtype=str, keep_default_na=False, sep=separator, encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: this file is missing; name a CSV file with the columns image and mask") from None
    except ValueError as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise UserError(f"{path}: not a readable CSV file ({error}); fix or remove it") from None
    if not isinstance(found.index, pd.RangeIndex):  # pandas takes surplus cells for row names
        raise UserError(f"{path}: lines have more cells than the header; put quotes around cells with commas")
    for column in ("image", "mask"):
        if column not in found:
            raise UserError(f"{path}: column {column!r} is missing; there are {', '.join(found.columns)}")
        empty = found.index[found[column] == ""]
        if len(empty):
            raise UserError(f"{path}: line {empty[0] + 2} has no {column}; fill it in or remove the line")
        if (long := found[column].map(_is_long)).any():
            raise UserError(f"{path}: line {found.index[long][0] + 2}: no disk has {column} names that long; fix it")
    return found


def check_names(where: Path, names: Iterable[str]) -> None:
    """Refuse names of samples that can't name files in any folder.

    Raises:
        UserError: naming the first that is empty, starts with a dot, holds a slash, a semicolon or a control
            character, or is another's but for upper and lower case, which many disks take for the same.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not name or name.startswith(".") or {"/", "\\", JOIN} & set(name) or not _is_text(name):
            raise UserError(
                f"{where}: sample {name!r} can't name a file; use letters, digits, spaces, dots, dashes or underscores"
            )
        other = seen.setdefault(folded(name), name)
        if other != name:
            raise UserError(f"{where}: samples {other!r} and {name!r} differ by upper and lower case alone; rename one")


def parts(cell: str) -> list[str]:
    """The paths, or hashes, that a cell joins: one, or one for each channel or instance."""
    return cell.split(JOIN)


def composed(name: str) -> str:
    """A name in one Unicode form (NFC): macOS writes ü as two signs, Windows as one."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """A name without what systems spell differently: Unicode's forms, upper and lower case."""
    return composed(name).casefold()


def sample_name(image: str) -> str:
    """The sample's name: the file's, without folder and extension (`.nii.gz` is one)."""
    name = Path(image).name
    doubled = next((suffix for suffix in DOUBLED if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(doubled)] if doubled else Path(name).stem


def extension(path: str) -> str:
    """What `sample_name` leaves away: `.png`, `.nii.gz`."""
    return Path(path).name.removeprefix(sample_name(path))


def is_inside(path: str) -> bool:
    """Whether a relative path stays within its folder, on any system, and is printable."""
    windows = PureWindowsPath(path)  # knows both slashes
    return not (PurePosixPath(path).is_absolute() or windows.anchor or ".." in windows.parts) and _is_text(path)


def _is_long(cell: str) -> bool:
    """Whether a cell has a path that no disk has."""
    names = [(path, word) for path in parts(cell) for word in path.replace("\\", "/").split("/")]
    return any(len(word.encode()) > NAME_BYTES or len(path.encode()) > PATH_BYTES for path, word in names)


def _slashed(folder: Path, cell: str) -> str:
    """A cell whose paths Windows has written, with the slashes of all systems."""
    if "\\" not in cell or all((folder / file).exists() for file in parts(cell)):
        return cell
    return cell.replace("\\", "/")


def _is_text(name: str) -> bool:
    """No control characters, which would break tables and digests, and nothing that isn't Unicode."""
    return not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)

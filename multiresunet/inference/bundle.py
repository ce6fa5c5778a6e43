"""Read a bundle: one zip with model.json, weights, card, licence and citation, of which nothing is trusted."""

from __future__ import annotations

import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, get_args
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import torch

from multiresunet.config import Dataset
from multiresunet.data.description import MEASURED
from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.inference.description import FINAL, NAME, ModelDescription
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training import checkpoint

CARD, LICENSE, CITATION = "README.md", "LICENSE", "CITATION.cff"
TEXTS = (NAME, CARD, LICENSE, CITATION)
WEIGHTS = re.compile(r"[\w-]+\.safetensors")  # which never run code when they are read, unlike pickles
# Weights don't shrink, so what grows so much was made to fill a disk.
GROWTH, LEAST, MOST, MOST_OF_TEXT = 20, 2**20, 2**34, 2**24
FITS, NORMALISATIONS = (get_args(Dataset.model_fields[name].annotation) for name in ("fit", "normalisation"))
REMEDY = "export it anew, or ask for another copy"


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A folder with what a bundle holds, for as long as the block lasts; checked before and while it is unpacked.

    Raises:
        UserError: if it is no bundle, holds anything else, or too much, or not the weights that its model.json names.
    """
    with TemporaryDirectory(prefix="multiresunet-") as place:
        folder = Path(place).resolve()
        try:
            with ZipFile(path) as archive:
                _check(archive, path)
                _unpack(archive, NAME, folder)
                description = ModelDescription.open(folder)
                weights = {network.file: network.sha256 for network in description.networks.values()}
                held = set(archive.namelist()) - set(TEXTS)
                if not weights or held != set(weights):
                    raise UserError(f"{path}: holds other weights than its {NAME} names; {REMEDY}")
                for name, digest in weights.items():
                    _unpack(archive, name, folder)
                    if sha256(folder / name) != digest:
                        raise UserError(f"{path}: {name} isn't what its {NAME} names; {REMEDY}")
                    _check_size(folder / name)
                if not _fits(description, folder):
                    raise UserError(f"{path}: its {NAME} doesn't fit its networks, or itself; {REMEDY}")
            yield folder
        except (BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{path}: no bundle, or a damaged one ({error}); {REMEDY}") from None
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(path))) from None


def _check(archive: ZipFile, path: Path) -> None:
    """Look at what the zip says that it holds, before anything is unpacked."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        name = entry.filename
        if name not in TEXTS and not WEIGHTS.fullmatch(name):
            raise UserError(f"{path}: holds {name!r}, which is no part of a bundle; {REMEDY}")
        if entry.flag_bits & 1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise UserError(f"{path}: {name} is encrypted, or packed in an unknown way; {REMEDY}")
        if name in TEXTS and entry.file_size > MOST_OF_TEXT:
            raise UserError(f"{path}: {name} has {entry.file_size} bytes, more than any has; {REMEDY}")
    if NAME not in names or len(set(names)) < len(names):
        raise UserError(f"{path}: no bundle, since it has no {NAME}, or a file twice; {REMEDY}")
    total, allowed = sum(entry.file_size for entry in entries), max(LEAST, GROWTH * path.stat().st_size)
    if total > min(allowed, MOST):
        raise UserError(f"{path}: would unpack to {total} bytes, which no weights do; {REMEDY}")


def _check_size(weights: Path) -> None:
    """Refuse a specification of a larger network than the file has weights for, before it takes all memory."""
    spec = checkpoint.spec_of(weights)
    if "." in spec.name:
        return  # somebody else's class may not be built without memory
    with torch.device("meta"):
        numbers = sum(one.numel() for one in build_network(spec).parameters())
    if 4 * numbers > weights.stat().st_size:
        raise UserError(f"{weights}: has fewer weights than its network; {REMEDY}")


def _fits(description: ModelDescription, folder: Path) -> bool:
    """Whether a description is of the networks that lie in a folder, and has all that predicting takes from it."""
    data = description.data
    try:
        specs = [
            (NetworkSpec(**one.spec), checkpoint.spec_of(folder / one.file)) for one in description.networks.values()
        ]
    except TypeError:
        return False
    task = data.dims, data.channels, len(data.classes) + 1 if data.classes else 1
    axes = [each for each in (data.size, data.scale, data.sides, data.spacing, data.spacings) if each is not None]
    divisors = [*data.size, *data.scale, *(data.spacing or ()), *np.ravel(data.spacings or ())]
    return (
        all(name == FINAL or name.isdecimal() for name in description.networks)
        and all(said == own and (own.dims, own.in_channels, own.classes) == task for said, own in specs)
        and all(len(each) == data.dims for each in axes)
        and min(divisors, default=0) > 0
        and (data.channel or 0) >= 0
        and set(data.intensity) == set(MEASURED)
        and data.fit in FITS
        and data.normalisation in NORMALISATIONS
    )


def _unpack(archive: ZipFile, name: str, folder: Path) -> None:
    # ZipFile gives no more bytes than `_check` has added up.
    with archive.open(name) as source, (folder / name).open("wb") as target:
        shutil.copyfileobj(source, target)


@contextmanager
def part(model: Path, name: str) -> Iterator[IO[bytes] | None]:
    """A file of a model's folder, unpacked or a bundle, to be read; None if there is none."""
    if model.is_dir():
        if (model / name).is_file():
            with (model / name).open("rb") as file:
                yield file
        else:
            yield None
        return
    with ZipFile(model) as archive:
        if name in archive.namelist():
            with archive.open(name) as file:
                yield file
        else:
            yield None


def text_of(model: Path, name: str) -> str | None:
    """A text of a model's folder, unpacked or a bundle; None if there is none."""
    with part(model, name) as file:
        return None if file is None else file.read().decode("utf-8")

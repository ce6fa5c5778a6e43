"""What a file may claim: no more than memory has room for, and no more than its own bytes can stand for."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from multiresunet.data import readers
from multiresunet.data.readers.common import LIMIT, PACKED, SMALL, check_size
from multiresunet.errors import UserError


@pytest.mark.parametrize(
    ("size", "stored", "refused"),
    [
        (LIMIT + 1, LIMIT + 1, True),
        (LIMIT, LIMIT // PACKED - 1, True),
        (LIMIT, LIMIT // PACKED + 1, False),
        (SMALL, 1, False),
        (SMALL + 1, 1, True),
    ],
)
def test_a_claim_is_held_against_the_file(tmp_path: Path, size: int, stored: int, refused: bool) -> None:
    with (tmp_path / "a.tif").open("wb") as file:
        file.truncate(stored)
    if not refused:
        check_size(tmp_path / "a.tif", size)
        return
    with pytest.raises(UserError, match=r"a\.tif: its header claims"):
        check_size(tmp_path / "a.tif", size)


def test_a_header_and_its_data_count_together(tmp_path: Path) -> None:
    (tmp_path / "a.mhd").write_text("ElementDataFile = a.raw\n")
    with (tmp_path / "a.raw").open("wb") as file:
        file.truncate(SMALL)
    check_size(tmp_path / "a.mhd", 20 * SMALL)


def test_a_tiff_of_a_kilobyte_that_claims_a_gigabyte_is_refused_at_once(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50), np.uint8), compression="zlib", rowsperstrip=1)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags
        for name in ("ImageLength", "ImageWidth"):
            place = tags[name].valueoffset
            content[place : place + tags[name].valuebytecount] = (32_000).to_bytes(tags[name].valuebytecount, "little")
    (tmp_path / "a.tif").write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(UserError, match=r"a\.tif: its header claims 977 MiB, and it has \d+ bytes"):
        readers.decode_image(tmp_path / "a.tif")
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("read", [readers.decode_image, readers.decode_mask])
def test_sparse_data_that_is_well_packed_is_read(tmp_path: Path, read: object) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5000, 5000), np.uint8), compression="lzma")
    assert (tmp_path / "a.tif").stat().st_size < 40_000
    assert read(tmp_path / "a.tif").array.shape[-2:] == (5000, 5000)  # type: ignore[operator]

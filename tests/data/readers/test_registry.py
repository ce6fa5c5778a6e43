"""Readers by suffix: each suffix stands once, in its reader's module; what nobody knows goes by its content."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiresunet.data import readers
from multiresunet.errors import UserError
from multiresunet.registries import READERS


def test_no_two_readers_have_one_suffix() -> None:
    suffixes = [suffix for entry in READERS.entries.values() for suffix in entry.facts["suffixes"]]
    assert sorted(set(suffixes)) == sorted(suffixes)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)


def test_pillow_reads_other_suffixes_by_content(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(grey).save(tmp_path / "a.webp", lossless=True)
    Image.fromarray(grey).save(tmp_path / "b.dat", format="PNG")
    assert readers.read_image(tmp_path / "a.webp").shape == (3, 3, 4)
    np.testing.assert_array_equal(readers.read_image(tmp_path / "b.dat")[0], grey)


def test_an_unknown_kind_of_file_is_refused_with_the_known_suffixes(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_bytes(b"ZISRAWFILE and more")
    with pytest.raises(UserError, match=r"a\.abc: not an image that can be read \(known: \.bmp, .*\.zarr\)"):
        readers.read_image(tmp_path / "a.abc")
    (tmp_path / "a.png").write_bytes(b"ZISRAWFILE and more")
    with pytest.raises(UserError, match=r"a\.png: not an image that can be read; replace"):
        readers.read_image(tmp_path / "a.png")


def test_a_reader_is_imported_when_a_file_needs_it(tmp_path: Path, repository: Path) -> None:
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "a.png")
    program = (
        "import sys; from pathlib import Path; from multiresunet.data import readers\n"
        f"readers.read_image(Path({str(tmp_path / 'a.png')!r}))\n"
        "print({'SimpleITK', 'nibabel', 'tifffile'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

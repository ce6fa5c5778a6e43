"""A file of arrays: NumPy reads it, and its bytes are those of every Python."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from multiresunet.evaluation import arrays

SHA256 = "047d7becca335445b4fa4e17be1ed242d702e8f11766774a4ea63a8e0b77ef75"


def test_numpy_reads_what_was_written(tmp_path: Path) -> None:
    written = {"bits": np.arange(300, dtype=np.uint8), "names": np.array(["a", "ß"]), "one": np.float32(0.5)[None]}
    arrays.write(tmp_path / "a.npz", **written)
    with np.load(tmp_path / "a.npz") as read:
        assert read.files == list(written)
        for name, array in written.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype


def test_the_bytes_are_the_same_in_every_python(tmp_path: Path) -> None:
    arrays.write(tmp_path / "a.npz", bits=np.arange(300, dtype=np.uint8), shapes=np.array([[15, 20]]))
    assert hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest() == SHA256


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        arrays.write(tmp_path / "a.npz", a=np.array([{}]))

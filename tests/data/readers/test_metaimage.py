"""Headers of MetaImage: what ITK can't take, and would end the process with, is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as simpleitk  # noqa: N813

from multiresunet.data import readers
from multiresunet.errors import UserError

VOLUME = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


def header(path: Path, old: str, new: str) -> Path:
    simpleitk.WriteImage(simpleitk.GetImageFromArray(VOLUME), path)
    content = path.read_bytes()
    assert content.count(old.encode()) == 1, content[:400]
    path.write_bytes(content.replace(old.encode(), new.encode()))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("NDims = 3", "NDims = 9223372036854775807", "NDims is '9223372036854775807', not 1 numbers"),
        ("NDims = 3", "NDims = 9", "NDims is 9, where an image has two or three axes"),
        ("NDims = 3", "NDims = x", "NDims is 'x', not 1 numbers"),
        ("NDims = 3\n", "", "NDims is 'missing'"),
        ("DimSize = 7 6 5", "DimSize = 7 6", "DimSize is '7 6', not 3 numbers"),
        ("DimSize = 7 6 5", "DimSize = 7 6 -5", "DimSize is 7 6 -5, where each axis has a voxel or more"),
        ("DimSize = 7 6 5", "DimSize = 70000 60000 50000", "claims 391155.5 GiB"),
        ("ElementSpacing = 1 1 1", "ElementSpacing = 1 nan 1", "ElementSpacing is '1 nan 1', not 3 numbers"),
        ("Offset = 0 0 0", "Offset = " + "0 " * 100, "Offset is '0 0"),
        ("BinaryData = True", "Comment = " + "x" * 4000, "its header isn't MetaImage's"),
        ("BinaryData = True", "ElementNumberOfChannels = -3", "ElementNumberOfChannels is -3"),
        ("NDims = 3", "NDims 3", "its header isn't MetaImage's"),
    ],
)
@pytest.mark.parametrize("suffix", ["mha", "mhd"])
def test_a_header_that_is_not_as_it_should_be_is_named(
    tmp_path: Path, suffix: str, old: str, new: str, words: str
) -> None:
    path = header(tmp_path / f"a.{suffix}", old, new)
    with pytest.raises(UserError) as caught:
        readers.decode_image(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", ["mha", "mhd"])
def test_what_itk_writes_is_read(tmp_path: Path, suffix: str, compressed: bool) -> None:
    image = simpleitk.GetImageFromArray(np.stack([VOLUME, VOLUME + 1], axis=-1), isVector=True)
    image.SetSpacing((0.5, 0.7, 3))
    image.SetMetaData("Modality", "MET_MOD_CT")
    simpleitk.WriteImage(image, tmp_path / f"a.{suffix}", useCompression=compressed)
    read = readers.decode_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read.array[0][::-1, ::-1], VOLUME.T)  # ITK counts towards left and posterior
    np.testing.assert_array_equal(read.array[1] - read.array[0], np.ones(VOLUME.T.shape))
    assert read.spacing == pytest.approx((0.5, 0.7, 3))

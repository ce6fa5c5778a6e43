"""What a sample's files are put together to: channels, instances, and the foreground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from multiresunet.config import MaskRule
from multiresunet.data import manifest
from multiresunet.data.loading import encode_labels, foreground, load_image, load_mask
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from tests.data.making import declared, folder_of, pair, save

ONE, TWO = (np.zeros((8, 9), np.uint8) for _ in range(2))
ONE[1:3, 1:3], TWO[5:7, 4:8] = 255, 255


def test_several_files_are_channels_in_their_order(tmp_path: Path) -> None:
    volumes = [np.full((3, 4, 5), value, np.float32) for value in (7, 3, 9, 1)]
    for name, volume in zip("abcd", volumes, strict=True):
        save(tmp_path / f"{name}.nii.gz", volume)
    image = load_image(tmp_path, "b.nii.gz;a.nii.gz;d.nii.gz;c.nii.gz", declared(channels=4))
    assert image.array[:, 0, 0, 0].tolist() == [3, 7, 1, 9]
    assert image.notes == ("channels read from 4 files",)


def test_one_channel_of_the_file_is_taken_and_noted(tmp_path: Path) -> None:
    image, _ = pair(0, channels=3)
    save(tmp_path / "a.png", image)
    taken = load_image(tmp_path, "a.png", declared(channel=2))
    np.testing.assert_array_equal(taken.array, image[2:])
    assert taken.notes == ("channel 2 of 3 taken",)
    with pytest.raises(UserError, match=r"a\.png: has no channel 3 .*fix channel"):
        load_image(tmp_path, "a.png", declared(channel=3))


def test_one_file_per_instance_is_one_mask(tmp_path: Path) -> None:
    for name, mask in (("1", ONE), ("2", TWO)):
        save(tmp_path / f"{name}.png", mask)
    merged = load_mask(tmp_path, "1.png;2.png")
    np.testing.assert_array_equal(merged.array, ONE | TWO)
    assert merged.notes == ("instances merged from 2 files",)


def test_files_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    save(tmp_path / "1.png", ONE)
    save(tmp_path / "2.png", TWO[:5])
    for load in (lambda: load_mask(tmp_path, "1.png;2.png"), lambda: load_image(tmp_path, "1.png;2.png", declared())):
        with pytest.raises(UserError, match=r"2\.png: 5×9 where the first file is 8×9"):
            load()


def test_channels_of_several_types_are_not_rescaled_by_one(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "1.tif", ONE)
    tifffile.imwrite(tmp_path / "2.tif", TWO.astype(np.uint16) * 257)
    with pytest.raises(UserError, match=r"2\.tif: uint16 where 1\.tif is uint8, .* save all channels in one type"):
        load_image(tmp_path, "1.tif;2.tif", declared(channels=2, normalisation="rescale"))
    read = load_image(tmp_path, "1.tif;2.tif", declared(channels=2, normalisation="zscore"))
    assert read.array.max(axis=(1, 2)).tolist() == [255, 65535]


def test_foreground_by_values_or_above_a_number() -> None:
    mask = np.array([[0, 1, 127, 128, 4000]])
    assert foreground(mask, declared(mask={"above": 127}).mask).tolist() == [[False, False, False, True, True]]
    assert foreground(mask, declared(mask={"above": 0}).mask).tolist() == [[False, True, True, True, True]]
    values = {"values": [0, 1, 127, 128, 4000], "foreground": [127]}
    assert foreground(mask, declared(mask=values).mask).tolist() == [[False, False, True, False, False]]


def test_a_folder_of_instances_is_paired_copied_and_pinned(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "mine", ["a"], size=(8, 9))
    save(place / "images" / "b.png", pair(1, (8, 9))[0])
    for name, mask in (("x", ONE), ("y", TWO)):
        (place / "masks" / "b").mkdir(exist_ok=True)
        tifffile.imwrite(place / "masks" / "b" / f"{name}.tif", mask.astype(np.uint16))
    samples = folder.scan(place)
    assert samples[1].mask == "masks/b/x.tif;masks/b/y.tif"
    (tmp_path / "raw").mkdir()
    copied = folder.copy(place, samples, tmp_path / "raw")
    manifest.write(tmp_path / "raw", copied)
    assert manifest.read(tmp_path / "raw") == copied
    np.testing.assert_array_equal(load_mask(tmp_path / "raw", copied[1].mask).array, ONE | TWO)
    before = folder.digest(samples)
    tifffile.imwrite(place / "masks" / "b" / "y.tif", ONE.astype(np.uint16))
    assert folder.digest(folder.scan(place)) != before
    (place / "masks" / "b" / "y.tif").unlink()
    (place / "masks" / "b" / "deeper").mkdir()
    with pytest.raises(UserError, match="a folder among the files"):
        folder.scan(place)


def test_a_joined_path_may_not_leave_the_folder_or_lack_a_file(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "mine", ["a", "b"])
    (place / "manifest.csv").write_text("image,mask\nimages/a.png;../x.png,masks/a.png\n")
    with pytest.raises(UserError, match=r"'\.\./x\.png' isn't in"):
        folder.scan(place)
    (place / "manifest.csv").write_text("image,mask\nimages/a.png;images/z.png,masks/a.png\n")
    with pytest.raises(UserError, match=r"missing images/z\.png"):
        folder.scan(place)
    (place / "manifest.csv").write_text("image,mask\nimages/a.png;images/a.png,masks/a.png\n")
    with pytest.raises(UserError, match=r"'images/a\.png' occurs more than once"):
        folder.scan(place)


def test_labels_number_the_declared_classes_in_their_order() -> None:
    mask = np.array([[0, 1, 2], [4, 7, 0]], np.uint8)
    rule = {"values": [0, 1, 2, 4, 7], "foreground": [1, 2, 4]}
    assert encode_labels(mask, MaskRule.model_validate(rule)).tolist() == [[0, 1, 1], [1, 0, 0]]
    with_classes = MaskRule.model_validate(rule | {"classes": {"oedema": [2], "core": [4, 1]}})
    assert encode_labels(mask, with_classes).tolist() == [[0, 2, 1], [2, 0, 0]]
    assert (foreground(mask, with_classes) == (encode_labels(mask, with_classes) > 0)).all()

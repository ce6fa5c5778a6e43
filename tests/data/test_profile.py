"""The facts about each sample: known answers, and what can't be measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multiresunet.data.manifest import Sample
from multiresunet.data.profile import profile
from multiresunet.data.sources.folder import scan
from multiresunet.files import write_csv
from tests.data.making import declared, folder_of, pair, save, truncate


def facts_of(folder: Path, image: Any, drawn: Any, extension: str = "png", **changes: Any) -> pd.Series[Any]:
    save(folder / "images" / f"a.{extension}", image)
    save(folder / "masks" / f"a.{extension}", drawn)
    return profile(folder, scan(folder), declared(**changes)).iloc[0]


def test_known_answers_for_a_grey_image(tmp_path: Path) -> None:
    image = np.full((1, 10, 20), 50, dtype=np.uint8)
    image[0, :5] = 150
    mask = np.zeros((10, 20), dtype=np.uint8)
    mask[:2, :5], mask[9, 19], mask[9, 18] = 255, 7, 128
    facts = facts_of(tmp_path, image, mask)
    (sample,) = scan(tmp_path)
    assert len(facts["pixels_sha256"]) == 64
    rest = facts.drop(["pixels_sha256"]).to_dict()
    assert {key: value for key, value in rest.items() if not key.endswith("_strays")} == {
        "sample": "a",
        "group": "",
        "group_missing": False,
        "problem": "",
        "changed": "",
        "axes": 2,
        "declared_axes": 2,
        "channels": 1,
        "declared_channels": 1,
        "image_shape": "10×20",
        "mask_shape": "10×20",
        "pixels": 200,
        "type": "uint8",
        "minimum": 50,
        "maximum": 150,
        "mean": 100,
        "deviation": 50,
        "nonfinite": 0,
        "undeclared_mask_values": "7 128",
        "foreground_share": 0.05,
        "doubtful_share": 0,
        "mask_container": "PNG",
        "image_turn": "",
        "mask_turn": "",
        "notes": "",
        "alike": "",
        "near_duplicates": "",
        "image_sha256": sample.image_sha256,
        "mask_sha256": sample.mask_sha256,
    }


def test_values_that_are_not_finite_are_counted_and_left_out(tmp_path: Path) -> None:
    volume = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    volume[0, 0, :3] = np.nan, np.inf, -np.inf
    mask = np.zeros((2, 3, 4), dtype=np.uint8)
    mask[0] = 4
    rule = {"values": [0, 1, 4], "foreground": [1, 4]}
    facts = facts_of(tmp_path, volume, mask, "nii.gz", size=[16, 16, 16], mask=rule)
    assert (facts["nonfinite"], facts["minimum"], facts["maximum"], facts["axes"]) == (3, 3, 23, 3)
    assert (facts["foreground_share"], facts["undeclared_mask_values"]) == (0.5, "")


def test_an_image_of_nan_alone_has_facts_too(tmp_path: Path) -> None:
    volume = np.full((2, 3, 4), np.nan, dtype=np.float32)
    facts = facts_of(tmp_path, volume, np.zeros((2, 3, 4), np.uint8), "nii")
    assert (facts["nonfinite"], facts["deviation"]) == (24, 0)


def test_deviations_of_small_and_large_scales_are_not_lost(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(0, 1e-9, (4, 5, 6)).astype(np.float32)
    assert facts_of(tmp_path, volume, np.zeros((4, 5, 6), np.uint8), "nii")["deviation"] == pytest.approx(1e-9, rel=0.2)


def test_both_files_of_a_sample_are_named_if_both_are_damaged(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a", "b"])
    truncate(tmp_path / "images" / "b.png")
    (tmp_path / "masks" / "b.png").write_text("no image")
    sound, broken = profile(tmp_path, scan(tmp_path), declared()).to_dict("records")
    assert sound["problem"] == ""
    assert f"{tmp_path}/images/b.png: damaged" in broken["problem"]
    assert f"{tmp_path}/masks/b.png: not an image" in broken["problem"]
    assert len(broken["problem"].splitlines()) == 1
    assert pd.isna(broken["deviation"])


def test_a_file_that_is_gone_is_a_problem_of_its_sample(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a"])
    rows = profile(tmp_path, [Sample("a", "images/a.png", "masks/b.png")], declared())
    assert "masks/b.png: this file is missing" in rows["problem"][0]


def test_the_same_bytes_on_every_call(tmp_path: Path) -> None:
    folder_of(tmp_path / "discs", ["a", "b", "c"], channels=3)
    save(tmp_path / "discs" / "masks" / "c.png", pair(2)[1] // 2)
    texts = []
    for _ in range(2):
        write_csv(tmp_path / "facts.csv", profile(tmp_path / "discs", scan(tmp_path / "discs"), declared()))
        texts.append((tmp_path / "facts.csv").read_bytes())
    assert texts[0] == texts[1]


def test_what_was_converted_is_noted(tmp_path: Path) -> None:
    image = pair(0, channels=3)[0]
    folder_of(tmp_path, ["a"])
    (tmp_path / "images" / "a.png").unlink()
    exif = Image.Exif()
    exif[274] = 6
    turned = np.rot90(np.moveaxis(image, 0, -1))
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "images" / "a.jpg", exif=exif, quality=95)
    facts = profile(tmp_path, scan(tmp_path), declared(channel=1)).iloc[0]
    assert (facts["image_turn"], facts["mask_turn"]) == ("6", "")
    assert facts["notes"] == "image: turned upright by EXIF orientation 6; image: channel 1 of 3 taken"
    assert facts["image_shape"] == facts["mask_shape"] == "40×48"


def test_grey_edges_count_as_doubtful_where_a_threshold_decides(tmp_path: Path) -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[:4], mask[4] = 255, 128
    image = pair(0, (10, 20))[0]
    facts = facts_of(tmp_path, image, mask, mask={"above": 127})
    assert (facts["doubtful_share"], facts["foreground_share"]) == (0.1, 0.5)
    assert facts_of(tmp_path, image, mask, mask={"above": 0})["doubtful_share"] == 0


def test_a_file_that_is_not_what_its_manifest_says_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a", "b"])
    samples = scan(tmp_path)
    save(tmp_path / "masks" / "b.png", pair(5)[1])
    assert profile(tmp_path, samples, declared())["changed"].tolist() == ["", "masks/b.png"]


def test_images_that_look_alike_are_found_unless_they_are_of_one_group(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a", "b", "c", "d"])
    rng = np.random.default_rng(5)
    scene = np.kron(rng.integers(0, 200, (16, 16)), np.ones((4, 4)))
    for name in "ab":
        save(tmp_path / "images" / f"{name}.png", (scene + rng.integers(0, 5, scene.shape)).astype(np.uint8)[None])
        save(tmp_path / "masks" / f"{name}.png", pair(0, (64, 64))[1])
    samples = scan(tmp_path)
    assert profile(tmp_path, samples, declared())["near_duplicates"].tolist()[:2] == ["b", "a"]
    grouped = [replace(sample, group="one" if sample.sample in "ab" else "two") for sample in samples]
    assert profile(tmp_path, grouped, declared(groups=True))["near_duplicates"].tolist()[:2] == ["", ""]


def test_an_outlier_strays_and_what_agrees_does_not(tmp_path: Path) -> None:
    folder_of(tmp_path, [f"s{index}" for index in range(8)])
    image = pair(3)[0]
    save(tmp_path / "images" / "s3.png", image // 10)
    strays = profile(tmp_path, scan(tmp_path), declared())["mean_strays"]
    assert strays.idxmax() == 3
    assert strays[3] > 6 > strays.drop(3).max()
    assert (profile(tmp_path, scan(tmp_path), declared())["pixels_strays"] == 0).all()

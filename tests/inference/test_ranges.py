"""Values are compared as the network sees them: divided by what the file's type holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiresunet.data.description import DataDescription
from multiresunet.errors import UserError
from multiresunet.inference.loading import load_model
from multiresunet.inference.ranges import outside
from tests.inference.making import described, trained
from tests.training.making import SPEC

EIGHT = {"minimum": (0, 10), "maximum": (180, 255), "mean": (90, 110), "deviation": (30, 60)}
IMAGE = np.random.default_rng(0).integers(0, 200, (1, 32, 32)).astype(np.uint8)


def learnt_from(factor: float = 1, **changes: Any) -> DataDescription:
    intensity = {name: (low * factor, high * factor) for name, (low, high) in EIGHT.items()}
    return described(SPEC, **{"intensity": intensity} | changes)


@pytest.mark.parametrize("data", [learnt_from(), learnt_from(257), learnt_from(1 / 255)], ids=["8", "16", "floats"])
@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        IMAGE.astype(np.uint16) * 257,
        IMAGE.astype(np.int64) * ((2**63 - 1) // 255),
        (IMAGE / 255).astype(np.float32),
    ],
    ids=lambda image: str(image.dtype),
)
def test_one_picture_in_any_type_is_one_picture(image: Any, data: DataDescription) -> None:
    assert outside(image, data, None) == ()
    lines = outside((image / 8).astype(image.dtype), data, None)
    assert any(line.startswith("mean of the values") for line in lines)


def test_a_model_knows_its_own_kind_of_files() -> None:
    wide = IMAGE.astype(np.uint16)  # 8 bits in 16, as all of training's were
    assert outside(wide, learnt_from(types=("uint16",)), None) == ()
    with pytest.raises(UserError, match="save it with 8 bits"):
        outside(wide, learnt_from(types=("uint8",)), None)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.uint32, np.int64])
def test_8_bits_in_a_wider_type_are_refused(kind: Any, tmp_path: Path) -> None:
    model = load_model(trained(tmp_path, intensity=EIGHT), device=torch.device("cpu"))
    with pytest.raises(UserError, match=r"a\.png: u?int\d\d whose values end at 199, .* save it with 8 bits"):
        model.predict(IMAGE.astype(kind), name="a.png")
    assert model.predict(IMAGE).warnings == ()


def test_16_bits_in_a_wider_type_are_refused() -> None:
    with pytest.raises(UserError, match="save it with 16 bits"):
        outside(IMAGE.astype(np.int32) * 257, learnt_from(257), None)


def test_where_training_had_black_images_it_is_a_warning() -> None:
    data = learnt_from(intensity={**EIGHT, "maximum": (0, 255), "mean": (0, 110), "deviation": (0, 60)})
    lines = outside(IMAGE.astype(np.uint16), data, None)
    assert lines == (
        "uint16 whose values end at 199, as those of 8 bits do; if it isn't meant to be that dark, save it with 8 bits",
    )
    assert outside(np.zeros((1, 32, 32), np.uint16), data, None) == ()


def test_a_dark_picture_of_the_training_images_own_type_is_a_warning() -> None:
    lines = outside(IMAGE.astype(np.uint16), learnt_from(257), None)
    assert any(line.startswith("maximum of the values 199, in training 4.626e+04") for line in lines)
    lines = outside(IMAGE.astype(np.int16), learnt_from(16, normalisation="rescale"), None)  # 12 bits, with a sign
    assert any(line.startswith("maximum of the values 199, in training 2880") for line in lines)


def test_where_images_are_standardised_values_are_compared_as_they_are() -> None:
    data = learnt_from(normalisation="zscore")
    assert outside(IMAGE.astype(np.int16), data, None) == ()
    assert len(outside(IMAGE.astype(np.int16) * 100, data, None)) == 3

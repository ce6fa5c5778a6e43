"""An image is prepared as in training, and its probabilities come back to its own grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.resizing import resized
from multiresunet.errors import UserError
from multiresunet.inference import large
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.inference.tiles import Tiled
from multiresunet.nets.fused import fused
from multiresunet.training import checkpoint
from multiresunet.training.fit import fit
from multiresunet.training.result import Weights
from tests.discs import discs
from tests.inference.making import describe_weights, described, trained
from tests.training.making import SPEC, job_of

CPU = torch.device("cpu")
VOLUME = replace(SPEC, dims=3, filters=4)


def model_of(folder: Path, **changes: object) -> Model:
    return load_model(trained(folder, **changes), device=CPU)  # type: ignore[arg-type]


def test_what_has_the_size_of_training_is_predicted_as_the_stage_predicts_it(
    disc_images: PreparedDataset, tmp_path: Path
) -> None:
    model = model_of(tmp_path)
    expected = model.predictor.foreground(disc_images.images)
    for image, probability in zip(disc_images.images, expected, strict=True):
        found = model.predict(image)
        np.testing.assert_allclose(found.foreground, probability, atol=1e-6)
        np.testing.assert_array_equal(found.mask, probability >= 0.5)
        np.testing.assert_array_equal(model.predict(image[0]).foreground, found.foreground)


def test_probabilities_come_back_before_the_threshold(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (1, 80, 48), dtype=np.uint8)
    found = model.predict(image)
    small = model.predictor.foreground(resized(image[0], (32, 32))[None, None])[0]
    np.testing.assert_allclose(found.foreground, resized(small, (80, 48)), atol=1e-6)
    np.testing.assert_array_equal(found.mask, found.foreground >= 0.5)


def test_what_cannot_be_an_image_is_one_line(tmp_path: Path) -> None:
    model = model_of(tmp_path, spec=VOLUME, fit="pad", normalisation="zscore", spacings=((1.0, 1.0),) * 3)
    volume = np.zeros((16, 16, 16), np.float32)
    for kind in (np.complex64, object):
        with pytest.raises(UserError, match=f"^the image: values of type {np.dtype(kind)}, which no pixel has; give"):
            model.predict(volume.astype(kind))
    for options in (Options(), Options(how="tiles")):
        with pytest.raises(UserError, match=r"^the image: a spacing of 2 numbers, where .* one for each of D×H×W$"):
            model.predict(volume, (1.0, 1.0), options)


def test_what_was_filled_up_is_taken_off(tmp_path: Path) -> None:
    model = model_of(tmp_path, spec=VOLUME, fit="pad", normalisation="zscore")
    volume = np.random.default_rng(0).normal(5, 2, (1, 13, 16, 9)).astype(np.float32)
    ready = np.zeros((1, 1, 16, 16, 16), np.float32)
    ready[0, 0, 1:14, :, 3:12] = (volume[0] - volume.mean()) / volume.std()
    expected = model.predictor.foreground(ready)[0, 1:14, :, 3:12]
    np.testing.assert_allclose(model.predict(volume).foreground, expected, atol=1e-5)
    assert model.predict(np.zeros((20, 33, 7), np.float32)).mask.shape == (20, 33, 7)  # larger than in training


def test_an_image_is_resampled_to_the_spacing_of_training(tmp_path: Path) -> None:
    model = model_of(tmp_path, fit="spacing", spacing=(0.5, 0.5), spacings=((0.4, 0.6), (0.4, 0.6)))
    image = np.random.default_rng(0).integers(0, 256, (1, 20, 50), dtype=np.uint8)
    small = resized(image[0], (20, 25))
    ready = np.zeros((1, 1, 32, 32), np.uint8)
    ready[0, 0, 6:26, 3:28] = small
    expected = resized(model.predictor.foreground(ready)[0, 6:26, 3:28], (20, 50))
    found = model.predict(image, spacing=(0.5, 0.25))
    np.testing.assert_allclose(found.foreground, expected, atol=1e-6)
    assert found.warnings == ()
    assert model.predict(image).warnings == ("the spacing isn't known, in training it was 0.4 to 0.6 × 0.4 to 0.6 mm",)


def test_what_learnt_from_patches_predicts_in_windows(tmp_path: Path) -> None:
    model = model_of(tmp_path, fit="patches", folds=1)
    image = np.random.default_rng(0).integers(0, 256, (1, 70, 50), dtype=np.uint8)
    network = fused(model.predictor.networks[0], CPU)
    with torch.no_grad():
        logits = Tiled(network, (32, 32))(torch.from_numpy(image[None] / np.float32(255)))
    np.testing.assert_allclose(model.predict(image).foreground, torch.sigmoid(logits)[0, 0].numpy(), atol=1e-5)


def test_classes_and_disagreement(tmp_path: Path) -> None:
    model = model_of(tmp_path, spec=replace(SPEC, classes=3), folds=3)
    image = np.random.default_rng(0).integers(0, 256, (1, 40, 40), dtype=np.uint8)
    found = model.predict(image, options=Options(threshold=0.3))
    assert found.probabilities.shape == (3, 40, 40)
    np.testing.assert_array_equal(found.mask > 0, found.foreground >= 0.3)
    assert set(np.unique(found.mask)) <= {0, 1, 2}
    each = [load_model(model.folder, str(fold), CPU).predict(image).foreground for fold in range(3)]
    np.testing.assert_allclose(found.foreground, np.mean(each, axis=0), atol=1e-5)
    assert found.spread is not None
    small = [
        load_model(model.folder, str(fold), CPU).predictor.foreground(resized(image[0], (32, 32))[None, None])[0]
        for fold in range(3)
    ]
    np.testing.assert_allclose(found.spread, resized(np.std(small, axis=0), (40, 40)), atol=1e-5)
    assert load_model(model.folder, "0", CPU).predict(image).spread is None


def test_flips_are_averaged(tmp_path: Path) -> None:
    model = model_of(tmp_path, folds=1)
    image = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    flips = [(), (0,), (1,), (0, 1)]
    each = [np.flip(model.predict(np.flip(image, axes)).foreground, axes) for axes in flips]
    found = model.predict(image, options=Options(flip=True)).foreground
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)
    assert not np.allclose(found, each[0], atol=1e-3)


@pytest.fixture(scope="module")
def learnt() -> Weights:
    """Weights of a network that finds discs."""
    return fit(job_of(discs(8, (64, 64), 1, 2), spec=SPEC, epochs=20)).last


# Of a window of an image that is resized, halves may be rounded to another grey value than those of the whole.
@pytest.mark.parametrize(("scale", "apart"), [((1.0, 1.0), 1e-3), ((2.0, 1.6), 2e-2)])
def test_tiles_are_the_whole(
    scale: tuple[float, float], apart: float, learnt: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (720, 656)
    checkpoint.save(tmp_path / "fold0-last.safetensors", SPEC, learnt)
    model = load_model(describe_weights(tmp_path, described(SPEC, scale=scale)), device=CPU)
    shape = (round(size[0] * scale[0]), round(size[1] * scale[1]))
    rng = np.random.default_rng(3)
    image = rng.normal(60, 20, shape)
    for _ in range(70):
        row, column = rng.integers(0, shape[0] - 40), rng.integers(0, shape[1] - 40)
        image[row : row + 30, column : column + 30] += 100
    image = np.clip(image, 0, 255).astype(np.uint8)
    monkeypatch.setattr(large, "SIDES", {2: (640,)})
    found = model.predict(image, options=Options(how="tiles")).foreground
    whole = resized(model.predictor.foreground(resized(image, size)[None, None])[0], shape)
    assert whole.std() > 0.05
    assert np.abs(found - whole).max() < apart  # on the frame, too
    assert np.abs(found - whole).mean() < 1e-4


def test_what_lies_outside_of_training_is_said(tmp_path: Path) -> None:
    model = model_of(
        tmp_path, intensity={"minimum": (0, 10), "maximum": (180, 250), "mean": (90, 110), "deviation": (30, 60)}
    )
    image = np.random.default_rng(0).integers(0, 200, (32, 32)).astype(np.uint8)
    assert model.predict(image).warnings == ()
    dark = model.predict(image // 8).warnings
    assert any(line.startswith("mean of the values 12") and "in training 90 to 110" in line for line in dark)
    assert model.predict(np.tile(image, (4, 1))).warnings == ("128×32 pixels, in training 32 × 32",)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((3, 32, 32), np.uint8), "has 3 channels, where the model takes 1"),
        (np.zeros((1, 4, 32, 32), np.uint8), r"an array of 1×4×32×32, where the model takes images of C×H×W"),
        (np.full((32, 32), np.nan, np.float32), "NaN or infinite"),
        (np.full((32, 32), 7, np.float32), "7 to 7 would be cut off at 0 and 1; save it with 8 bits, or divide"),
        (np.full((32, 32), -7, np.int16), "-7 to -7 would be cut off at 0 and 1; save it with 8 bits, or divide"),
    ],
)
def test_what_does_not_fit_is_refused(image: np.ndarray, says: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    model = model_of(tmp_path)
    for how in ("trained", "tiles"):
        with pytest.raises(UserError, match=says):
            model.predict(image, options=Options(how))


def test_instances_that_touch_are_told_apart_when_asked(tmp_path: Path) -> None:
    from multiresunet.inference.prediction import Prediction

    rows, columns = np.mgrid[:60, :90]
    inside = np.minimum(np.hypot(rows - 30, columns - 30), np.hypot(rows - 30, columns - 58)) < 16
    found = Prediction(inside[None].astype(np.float32), None, 0.5)
    assert found.labels().max() == 1
    two = found.labels("watershed")
    assert two.max() == 2
    assert two[30, 30] != two[30, 58]
    np.testing.assert_array_equal(two > 0, inside)
    empty = Prediction(np.zeros((1, 8, 8), np.float32), None, 0.5)
    assert empty.labels("watershed").max() == 0

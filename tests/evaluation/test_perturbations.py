"""Perturbations: each does what it says, more of it with a greater severity, and the same again with the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from multiresunet import config
from multiresunet.evaluation.perturbations import perturb
from multiresunet.registries import PERTURBATIONS

AMOUNTS = config.load().evaluate.perturbations
KINDS = list(PERTURBATIONS)
GEOMETRY = [name for name, entry in PERTURBATIONS.entries.items() if entry.facts["kind"] == "geometry"]
SHAPES = [(1, 32, 32), (3, 32, 48), (2, 16, 16, 12)]


def picture(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Smooth blobs in [0.2, 0.8], and a mask of the bright ones."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), (0, *[2] * (len(shape) - 1)))
    image = 0.5 + 0.3 * noise / np.abs(noise).max()
    return image.astype(np.float32), image[0] > 0.55


def changed(kind: str, severity: int, shape: tuple[int, ...], seed: int = 1, standardised: bool = False) -> np.ndarray:
    image, mask = picture(shape)
    if standardised:
        image = 50 * image - 7
    return perturb(image, mask, kind, AMOUNTS[kind][severity - 1], np.random.default_rng(seed), standardised)[0]  # type: ignore[index]


RECORDED = {
    "gaussian": (11.9004, 325, -8.4729, 326),
    "poisson": (9.9784, 325, 283.9004, 326),
    "speckle": (9.714, 325, -48.8197, 326),
    "blur": (18.3541, 325, 165.6621, 326),
    "contrast": (19.1871, 325, 165.4533, 326),
    "brightness": (10.2901, 325, 111.513, 326),
    "gamma": (26.9021, 325, 244.5268, 326),
    "jpeg": (17.9766, 325, 106.7656, 326),
    "missing": (10.8875, 325, -76.6978, 326),
    "bias_field": (26.1264, 325, 46.8633, 326),
    "rotation": (19.3483, 292, 244.9481, 344),
    "elastic": (19.0143, 323, 167.0122, 326),
}
"""Of an image and of a standardised volume after each perturbation: a random weighted sum, and the mask's pixels."""


@pytest.mark.parametrize("kind", RECORDED)
def test_results_are_those_recorded(kind: str) -> None:
    found: list[float] = []
    for shape, standardised in ((SHAPES[1], False), (SHAPES[2], True)):
        image, mask = picture(shape)
        image = 50 * image - 7 if standardised else image
        one, moved = perturb(image, mask, kind, AMOUNTS[kind][2], np.random.default_rng(1), standardised)  # type: ignore[index]
        found += [float((one * np.random.default_rng(9).normal(size=shape)).sum()), float(moved.sum())]
    assert found == pytest.approx(RECORDED[kind], abs=1e-3)


def test_params_name_all_that_there_are() -> None:
    assert set(KINDS) == set(AMOUNTS)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_seeded_bounded_and_worse_with_severity(kind: str, shape: tuple[int, ...]) -> None:
    image, _ = picture(shape)
    changes = []
    for severity in range(1, 6):
        one = changed(kind, severity, shape)
        np.testing.assert_array_equal(one, changed(kind, severity, shape))
        assert one.shape == image.shape
        assert one.dtype == np.float32
        assert 0 <= one.min() <= one.max() <= 1
        changes.append(float(np.abs(one - image).mean()))
    assert changes[0] < changes[-1], changes
    assert changes[2] > 0, changes  # at 16 voxels the mildest blur is none


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_moves_only_with_the_image(kind: str) -> None:
    _, mask = picture((1, 48, 48))
    moved_image, moved = perturb(
        mask[None].astype(np.float32), mask, kind, AMOUNTS[kind][2], np.random.default_rng(3), False
    )  # type: ignore[index]
    if kind in GEOMETRY:
        assert (moved != mask).any()
        # The image was the mask itself, so that where it went the mask went too.
        np.testing.assert_array_equal(
            moved_image[0][np.abs(moved_image[0] - 0.5) > 0.49] > 0.5, moved[np.abs(moved_image[0] - 0.5) > 0.49]
        )
    else:
        np.testing.assert_array_equal(moved, mask)


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    image, mask = picture((2, 32, 32))
    turned, turned_mask = perturb(image, mask, "rotation", 90, np.random.default_rng(0), False)
    either = [np.rot90(mask, times) for times in (1, 3)]
    which = [bool((turned_mask == one).all()) for one in either].index(True)
    np.testing.assert_allclose(turned[0], np.rot90(image[0], (1, 3)[which]), atol=1e-5)


def test_amounts_mean_what_is_said() -> None:
    flat = np.full((1, 200, 200), 0.5, dtype=np.float32)
    mask = np.zeros((200, 200), dtype=bool)

    def done(kind: str, amount: float) -> np.ndarray:
        return perturb(flat, mask, kind, amount, np.random.default_rng(0), False)[0]

    assert done("gaussian", 0.1).std() == pytest.approx(0.1, rel=0.02)
    assert done("speckle", 0.1).std() == pytest.approx(0.05, rel=0.02)
    assert done("poisson", 200).std() == pytest.approx(np.sqrt(0.5 / 200), rel=0.02)
    assert abs(done("brightness", 0.2) - 0.5).mean() == pytest.approx(0.2)
    assert done("gamma", 2).mean() in (pytest.approx(0.25), pytest.approx(0.5**0.5))
    assert 0.1 <= (done("missing", 0.1) == 0).mean() < 0.12
    assert abs(np.log(done("bias_field", 0.4) / 0.5)).max() == pytest.approx(0.4, rel=1e-3)


def test_standardised_images_keep_their_scale() -> None:
    shape = (2, 16, 16, 12)
    image = 50 * picture(shape)[0] - 7
    for kind in set(KINDS) - set(GEOMETRY):
        one = changed(kind, 3, shape, standardised=True)
        np.testing.assert_allclose(one.mean(axis=(1, 2, 3)), image.mean(axis=(1, 2, 3)), atol=1e-3)
        np.testing.assert_allclose(one.std(axis=(1, 2, 3)), image.std(axis=(1, 2, 3)), rtol=1e-3)
    np.testing.assert_allclose(changed("contrast", 5, shape, standardised=True), image, atol=1e-3)

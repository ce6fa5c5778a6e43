"""What worse cameras, stains, files and tissue do to images, in 2-D and 3-D, registered by name.

Each takes an amount, whose meaning its docstring says; lengths are shares of the image's longest side, so that an
amount means the same at every resolution. Of kind `intensity`: from an image C×(D×)H×W in [0, 1] to another, which is
then clipped. Of kind `geometry`: from a shape (D×)H×W to where its pixels come from; the mask moves along.
The amounts of the five severities stand in params.yaml.
"""

from __future__ import annotations

import io
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from multiresunet.registries import PERTURBATIONS

Array = NDArray[np.float32]
Labels = TypeVar("Labels", NDArray[np.bool_], NDArray[np.uint8])


@PERTURBATIONS.register("gaussian", kind="intensity")
def gaussian(image: Array, amount: float, rng: Generator) -> Array:
    """Added noise of deviation `amount`: a warm sensor."""
    return _f32(image + amount * rng.standard_normal(image.shape, dtype=np.float32))


@PERTURBATIONS.register("poisson", kind="intensity")
def poisson(image: Array, amount: float, rng: Generator) -> Array:
    """Photon noise where white is `amount` photons: a short exposure."""
    return _f32(rng.poisson(image * amount) / amount)


@PERTURBATIONS.register("speckle", kind="intensity")
def speckle(image: Array, amount: float, rng: Generator) -> Array:
    """Noise in proportion to the brightness, of relative deviation `amount`: coherent light, ultrasound."""
    return _f32(image * (1 + amount * rng.standard_normal(image.shape, dtype=np.float32)))


@PERTURBATIONS.register("blur", kind="intensity")
def blur(image: Array, amount: float, rng: Generator) -> Array:
    """Gaussian blur of deviation `amount`, a share of the longest side: out of focus."""
    width = amount * max(image.shape[1:])
    return _f32(ndimage.gaussian_filter(image, (0, *[width] * (image.ndim - 1)), mode="reflect"))


@PERTURBATIONS.register("contrast", kind="intensity")
def contrast(image: Array, amount: float, rng: Generator) -> Array:
    """Distances from each channel's mean times `amount`, below 1: haze, a weak stain."""
    centre = image.mean(axis=tuple(range(1, image.ndim)), keepdims=True)
    return _f32(centre + amount * (image - centre))


@PERTURBATIONS.register("brightness", kind="intensity")
def brightness(image: Array, amount: float, rng: Generator) -> Array:
    """`amount` added or subtracted, at random: another lamp."""
    return _f32(image + amount * _sign(rng))


@PERTURBATIONS.register("gamma", kind="intensity")
def gamma(image: Array, amount: float, rng: Generator) -> Array:
    """Values to the power `amount`, above 1, or to one over it, at random: another camera's curve."""
    return _f32(np.clip(image, 0, 1) ** (amount ** _sign(rng)))


@PERTURBATIONS.register("jpeg", kind="intensity")
def jpeg(image: Array, amount: float, rng: Generator) -> Array:
    """Compressed as JPEG of quality `amount`: RGB as one picture, else each channel, and each slice, by itself."""
    pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if image.ndim == 3 and len(image) == 3:
        back = np.moveaxis(_through_jpeg(np.moveaxis(pixels, 0, -1), amount), -1, 0)
    else:
        planes = pixels.reshape(-1, *pixels.shape[-2:]) if image.ndim == 3 else _slices(pixels)
        back = np.stack([_through_jpeg(plane, amount) for plane in planes])
        back = back.reshape(pixels.shape) if image.ndim == 3 else _from_slices(back, pixels.shape)
    return _f32(back / np.float32(255))


def _slices(volume: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """C×X×Y×Z to CZ×X×Y: the last axis is the one that the other pictures of volumes cut along, too."""
    return np.moveaxis(volume, -1, 1).reshape(-1, *volume.shape[1:3])


def _from_slices(planes: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.moveaxis(planes.reshape(shape[0], shape[3], *shape[1:3]), 1, -1)


def _through_jpeg(plane: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "JPEG", quality=round(quality))
    return np.asarray(Image.open(buffer))


@PERTURBATIONS.register("missing", kind="intensity")
def missing(image: Array, amount: float, rng: Generator) -> Array:
    """Square patches, an eighth of the longest side wide, blackened until a share `amount` is gone: lost tiles."""
    lost = np.zeros(image.shape[1:], dtype=bool)
    side = max(1, round(max(lost.shape) / 8))
    while lost.mean() < amount:
        corner = [int(rng.integers(0, max(1, extent - side + 1))) for extent in map(int, lost.shape)]
        lost[tuple(slice(start, start + side) for start in corner)] = True
    return _f32(np.where(lost, 0, image))


@PERTURBATIONS.register("bias_field", kind="intensity")
def bias_field(image: Array, amount: float, rng: Generator) -> Array:
    """Brightness times exp of a smooth field, a random cubic within ±`amount`: an MRI coil, an uneven lamp."""
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in image.shape[1:]), indexing="ij")
    field = np.zeros(image.shape[1:])
    for powers in product(range(4), repeat=len(axes)):
        if 0 < sum(powers) <= 3:
            field += rng.normal() * np.prod([axis**power for axis, power in zip(axes, powers, strict=True)], axis=0)
    return _f32(image * np.exp(amount * field / np.abs(field).max()))


@PERTURBATIONS.register("rotation", kind="geometry")
def rotation(shape: tuple[int, ...], amount: float, rng: Generator) -> NDArray[np.float64]:
    """Where the pixels of an image turned by `amount` degrees, either way, come from: axes×(D×)H×W.

    Volumes turn in the plane of their first two axes.
    """
    angle = np.deg2rad(amount) * _sign(rng)
    places = np.indices(shape, dtype=np.float64)
    middle = (np.array(shape[:2]) - 1) / 2
    first, second = (places[axis] - middle[axis] for axis in (0, 1))
    places[0] = middle[0] + np.cos(angle) * first - np.sin(angle) * second
    places[1] = middle[1] + np.sin(angle) * first + np.cos(angle) * second
    return places


@PERTURBATIONS.register("elastic", kind="geometry")
def elastic(shape: tuple[int, ...], amount: float, rng: Generator) -> NDArray[np.float64]:
    """Where the pixels come from when tissue is deformed by up to `amount` of the longest side: axes×(D×)H×W."""
    longest = max(shape)
    pushed = np.stack([ndimage.gaussian_filter(rng.standard_normal(shape), 0.08 * longest) for _ in shape])
    return np.asarray(np.indices(shape) + pushed * (amount * longest / np.abs(pushed).max()))


def perturb(
    image: Array, mask: Labels, name: str, amount: float, rng: Generator, standardised: bool
) -> tuple[Array, Labels]:
    """A perturbed image and its mask or labels, which move along with rotation and elastic deformation.

    Args:
        image: C×(D×)H×W as prepared: in [0, 1], or of any scale if `standardised`.
        mask: (D×)H×W; booleans or labels.
        name: of a registered perturbation.
        amount: as the perturbation's docstring says.
        rng: source of its randomness.
        standardised: the image's channels have been standardised. They are perturbed between their lowest and highest
            value, and given back the mean and deviation that they had, as the preparation would have done: what it
            undoes (brightness, contrast) does no harm.

    Raises:
        UserError: there is no such perturbation.
    """
    change = PERTURBATIONS[name]
    if PERTURBATIONS.entries[name].facts["kind"] == "geometry":
        places = change(mask.shape, amount, rng)
        moved = np.stack([ndimage.map_coordinates(c, places, order=1, mode="reflect") for c in image])
        return _f32(moved), _moved(mask, places)
    if not standardised:
        return _f32(np.clip(change(image, amount, rng), 0, 1)), mask
    space = tuple(range(1, image.ndim))
    low, high = image.min(axis=space, keepdims=True), image.max(axis=space, keepdims=True)
    changed = np.clip(change(_f32((image - low) / np.maximum(high - low, 1e-9)), amount, rng), 0, 1)
    centre, deviation = (getattr(changed, of)(axis=space, keepdims=True) for of in ("mean", "std"))
    back = (changed - centre) / np.maximum(deviation, 1e-6)
    return _f32(back * image.std(axis=space, keepdims=True) + image.mean(axis=space, keepdims=True)), mask


def _moved(mask: Labels, places: NDArray[np.float64]) -> Labels:
    moved = ndimage.map_coordinates(mask.astype(np.uint8), places, order=0, mode="reflect")
    return np.asarray(moved, dtype=mask.dtype)


def _sign(rng: Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _f32(array: NDArray[np.floating]) -> Array:
    return np.asarray(array, dtype=np.float32)

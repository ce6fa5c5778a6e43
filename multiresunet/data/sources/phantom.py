"""Five seeded phantoms, one for each modality of the paper, each with what makes its modality hard.

They are the embedded default: the whole pipeline runs on them without a download. Every sample is drawn from
generators seeded by the names of things alone, so sample 7 is the same whatever is drawn before or beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from multiresunet.registries import PHANTOMS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Picture = tuple[NDArray[np.generic], NDArray[np.uint8]]

SQUARE, WIDE, VOLUME = (96, 96), (72, 96), (32, 32, 16)
LABELS = (0, 1, 2, 4)  # of a tumour: healthy, necrosis, oedema, enhancing, as in BraTS


@dataclass(frozen=True)
class Phantom:
    """One drawn sample.

    `image` is C×H×W uint8 or, for volumes, C×D×H×W float32 on the scale of an arbitrary scanner; `mask` is
    H×W uint8 in {0, 255} or D×H×W uint8 in {0, 1, 2, 4}. `group` binds near-duplicates; empty where a sample
    stands alone.
    """

    sample: str
    group: str
    image: NDArray[np.generic]
    mask: NDArray[np.uint8]


def draw(name: str, samples: int, seed: int) -> Iterator[Phantom]:
    """The first `samples` samples of the phantom `name`; sample i depends on `name`, `seed` and i only.

    Raises:
        UserError: if there is no phantom of this name.
    """
    paint, frames = PHANTOMS[name], PHANTOMS.entries[name].facts.get("frames")

    def phantom(index: int) -> Phantom:
        rng = _generator(name, seed, index)
        group = f"seq{index // frames + 1:02d}" if frames else ""
        image, mask = paint(_generator(name, seed, group), rng) if frames else paint(rng)
        return Phantom(f"{name}_{index:03d}", group, image, mask)

    return (phantom(index) for index in range(samples))


def _generator(*names: object) -> Generator:
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


# What the phantoms share.


def _field(rng: Generator, shape: tuple[int, ...], grain: float) -> Floats:
    """Smooth noise with features of about `grain` pixels, mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), grain)
    return np.asarray((noise - noise.mean()) / noise.std())


def _blob(rng: Generator, shape: tuple[int, ...], centre: Floats, radii: Floats, ragged: float, grain: float) -> Floats:
    """Level map of a turned, wavy ellipse or ellipsoid: about the depth in pixels, negative outside."""
    turn = np.linalg.qr(rng.normal(size=(len(shape), len(shape))))[0]
    offsets = np.moveaxis(np.indices(shape), 0, -1) - centre
    reach = np.sqrt((((offsets @ turn) / radii) ** 2).sum(axis=-1))
    return np.asarray((1 - reach + ragged * _field(rng, shape, grain)) * radii.min())


def _somewhere(rng: Generator, shape: tuple[int, ...], margin: float) -> Floats:
    return rng.uniform(margin, 1 - margin, len(shape)) * shape


def _deep(rng: Generator, depth: Floats) -> Floats:
    """A random place, more likely where `depth` is large."""
    return np.array(np.unravel_index(np.argmax(depth * rng.random(depth.shape)), depth.shape), float)


def _soft(level: Floats, width: float) -> Floats:
    """0 outside to 1 inside, over about `width` pixels of a level map."""
    ramp = np.clip(level / width + 0.5, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))


def _borders(labels: NDArray[np.int64]) -> Bools:
    """Where two different labels meet; label 0 belongs to nobody."""
    last = labels.max() + 1
    highest = ndimage.maximum_filter(labels, 3)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, last), 3)
    return np.asarray((lowest < highest) & (lowest < last))


def _exposed(rng: Generator, light: Floats, photons: float) -> NDArray[np.uint8]:
    """`light` in [0, 1] as an 8-bit camera counts it: shot noise grows with the root of the brightness."""
    light = np.clip(light, 0, 1)
    noisy = light + rng.normal(size=light.shape) * np.sqrt((light + 0.02) / photons)
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)


def _binary(inside: Bools) -> NDArray[np.uint8]:
    return np.where(inside, 255, 0).astype(np.uint8)


# One function for each modality: from a generator to image and mask. With `frames`, that many near-duplicates show one
# scene, and the function takes the scene's generator first.


@PHANTOMS.register("nuclei")
def nuclei(rng: Generator) -> Picture:
    """Fluorescence: some nuclei hardly leave an uneven background, and unlabelled debris outshines all.

    Touching nuclei are kept apart by a background line, as hand-made outlines do it.
    """
    labels, light = np.zeros(SQUARE, np.int64), np.zeros(SQUARE)
    typical, size = rng.uniform(0.13, 0.22), rng.uniform(7, 10)
    for label in range(1, rng.integers(12, 22)):
        level = _blob(rng, SQUARE, _somewhere(rng, SQUARE, 0), size * rng.uniform(0.75, 1.25, 2), 0.06, 5)
        free = (level > 0) & (labels == 0)
        if free.sum() > 0.8 * (level > 0).sum():
            labels[free] = label
            light = np.maximum(light, typical * rng.uniform(0.45, 2) * _soft(level, 3))
    light *= 1 + 0.16 * _field(rng, SQUARE, 1.2)
    for _ in range(rng.integers(4, 8)):
        away = np.clip(ndimage.distance_transform_edt(labels == 0), 0, 8)
        level = _blob(rng, SQUARE, _deep(rng, away), rng.uniform(2.5, 5, 2), 0.25, 2)
        light += rng.uniform(0.8, 1.2) * _soft(level, 3) * (labels == 0)
    haze = rng.uniform(0.03, 0.12) * (1 + 0.3 * _field(rng, SQUARE, 24))
    focus = _soft(_field(rng, SQUARE, 20), 3)
    sharp, dull = (ndimage.gaussian_filter(light, width) for width in (0.5, 1.5))
    light = haze + focus * sharp + (1 - focus) * dull
    return _exposed(rng, light, rng.uniform(1000, 4000))[None], _binary((labels > 0) & ~_borders(labels))


@PHANTOMS.register("membranes")
def membranes(rng: Generator) -> Picture:
    """Electron microscopy: thin membranes, here stained and there nearly gone, around grainy cells.

    The cells hold mitochondria and vesicles that are as dark as membrane and are not membrane.
    """
    seeds = 34 * np.indices((4, 4)).reshape(2, -1).T + rng.normal(0, 8, (16, 2))
    warp = np.stack([3 * _field(rng, SQUARE, 8) + 8 * _field(rng, SQUARE, 20) for _ in range(2)])
    places = np.moveaxis(np.indices(SQUARE) + warp, 0, -1)
    labels = 1 + np.square(places[:, :, None] - seeds).sum(axis=-1).argmin(axis=-1)
    depth = ndimage.distance_transform_edt(~_borders(labels))
    stain = np.clip(0.95 + 0.25 * _field(rng, SQUARE, 8), 0.5, 1.2)
    dark = 0.5 * stain * np.exp(-((depth / 1.7) ** 4))
    for _ in range(rng.integers(3, 7)):
        level = _blob(rng, SQUARE, _deep(rng, depth), rng.uniform(6, 12, 2), 0.08, 4)
        level = np.minimum(level, depth - 4)
        cristae = 0.3 + 0.07 * np.sin(_field(rng, SQUARE, 5) * 8)
        dark = np.maximum(dark, _soft(level, 2) * (cristae + 0.15 * np.exp(-np.square(level - 0.5))))
    crowd = 0.4 * _soft(_field(rng, SQUARE, 12) + 0.5, 2) * (depth > 3.5)
    dark = np.maximum(dark, crowd * _soft(_field(rng, SQUARE, 1.3) - 0.9, 1))
    cytoplasm = 0.64 + 0.07 * rng.normal(size=labels.max() + 1)[labels] + 0.11 * _field(rng, SQUARE, 24)
    light = cytoplasm + 0.06 * _field(rng, SQUARE, 1) - dark
    light = ndimage.gaussian_filter(light, rng.uniform(0.3, 0.7)) * rng.uniform(0.85, 1.15)
    return _exposed(rng, light, rng.uniform(150, 350))[None], _binary(depth > 1)


@PHANTOMS.register("lesions")
def lesions(rng: Generator) -> Picture:
    """Dermoscopy: a ragged border fades into skin of any tone, hairs cross it, and the light falls off."""
    level = _blob(rng, WIDE, _somewhere(rng, WIDE, 0.36), rng.uniform(10, 24, 2), 0.12, 4)
    pigment = rng.uniform(0.6, 1.3) * _soft(level, rng.uniform(3, 8)) * (1 + 0.25 * _field(rng, WIDE, 2.5))
    pigment += np.clip(0.12 * _field(rng, WIDE, 2) - 0.2, 0, 1) + 0.05 * _field(rng, WIDE, 8)
    melanin = np.array([0.5, 0.9, 1.05]) * rng.uniform(0.85, 1.15, 3)
    tone = np.array([0.92, 0.76, 0.68]) - rng.uniform(0, 0.25) * np.array([0.6, 0.8, 0.85])
    tone += rng.normal(0, 0.03, 3)
    light = (tone * np.exp(-melanin * np.clip(pigment, 0, None)[..., None])).transpose(2, 0, 1)
    hairs = np.zeros(WIDE)
    for _ in range(rng.integers(0, 10)):
        start, end = rng.uniform(0, 1, (2, 2)) * WIDE
        bend, way = rng.normal(0, 8, 2), np.linspace(0, 1, 200)[:, None]
        rows, columns = (start + (end - start) * way + bend * way * (1 - way)).astype(int).T
        hairs[rows.clip(0, WIDE[0] - 1), columns.clip(0, WIDE[1] - 1)] = rng.uniform(0.4, 1)
    light *= 1 - 0.8 * np.clip(1.3 * ndimage.gaussian_filter(hairs, 0.5), 0, 1)
    across = np.indices(WIDE) / np.array(WIDE)[:, None, None] - 0.5
    vignette = 1 - rng.uniform(0.3, 1.4) * np.square(across).sum(axis=0)
    slope = 1 + np.tensordot(rng.uniform(-0.3, 0.3, 2), across, axes=1)
    return _exposed(rng, light * vignette * slope, 2500), _binary(level > 0)


@PHANTOMS.register("polyps", frames=3)
def polyps(scene: Generator, frame: Generator) -> Picture:
    """Endoscopy: a dome in nearly the colour of the mucosa, seen by its shading among folds and highlights.

    `scene` draws what a sequence has in common, `frame` how one frame of it was shot: near-duplicates.
    """
    canvas = (96, 120)
    polyp = _blob(scene, canvas, _somewhere(scene, canvas, 0.36), scene.uniform(14, 22, 2), 0.08, 6)
    lumen = _blob(scene, canvas, _somewhere(scene, canvas, 0.15), scene.uniform(10, 20, 2), 0.1, 8)
    folds = 5 * np.minimum(np.abs(_field(scene, canvas, 9)), 1)
    height = folds * _soft(-polyp, 2) + 4 * np.sqrt(np.clip(polyp, 0, None))
    maps = np.stack([polyp, lumen, height, _field(scene, canvas, 1.5)])
    mucosa = np.array([0.85, 0.5, 0.36]) + scene.normal(0, 0.02, 3)
    cornered = scene.random() < 0.5

    zoom = frame.uniform(0.88, 1.08)
    corner = (np.array(canvas) - np.array(WIDE) * zoom) / 2 + frame.uniform(-4, 4, 2)
    polyp, lumen, height, vessels = (
        ndimage.affine_transform(each, [zoom, zoom], corner, WIDE, order=1, mode="nearest") for each in maps
    )
    inside = _soft(polyp, 2)
    slope = np.stack(np.gradient(ndimage.gaussian_filter(height, 0.8)))
    facing = 1 - np.tensordot(frame.uniform(-0.2, 0.2, 2), slope, axes=1)
    facing /= np.sqrt(1 + np.square(slope).sum(axis=0))
    shade = facing * (1 - 0.85 * _soft(lumen, 16) * (1 - inside)) * frame.uniform(0.8, 1)
    tint = inside[..., None] * np.array([0.11, -0.08, -0.05])
    tint -= (vessels * (1 - 0.8 * inside))[..., None] * np.array([0.01, 0.03, 0.02])
    wet = _soft(ndimage.gaussian_filter(_field(frame, WIDE, 1.8) + 1.5 * facing, 0.5) - 3.5, 0.6)
    light = np.maximum(((mucosa + tint) * shade[..., None]).transpose(2, 0, 1), wet)
    if cornered:
        rows, columns = np.indices(WIDE)
        light *= np.minimum(rows, WIDE[0] - 1 - rows) + np.minimum(columns, WIDE[1] - 1 - columns) > 14
    return _exposed(frame, light, 1500), _binary(polyp > 0)


_TISSUES = np.array(  # brightness of air, white and grey matter, fluid, necrosis, oedema, enhancing rim
    [
        [0.0, 0.50, 0.62, 0.20, 0.50, 0.88, 0.80],  # FLAIR
        [0.0, 0.75, 0.58, 0.22, 0.35, 0.50, 0.55],  # T1
        [0.0, 0.75, 0.58, 0.22, 0.32, 0.50, 0.98],  # T1ce
        [0.0, 0.42, 0.56, 0.98, 0.88, 0.80, 0.66],  # T2
    ]
)


@PHANTOMS.register("tumours")
def tumours(rng: Generator) -> Picture:
    """MRI: nested regions that no channel shows alone, a bias field, and each scanner's own scale."""
    middle = np.array(VOLUME) / 2 - 0.5
    offsets = np.indices(VOLUME) - middle[:, None, None, None]
    x, y, z = offsets / (rng.uniform(0.9, 1, 3) * (middle + 0.5))[:, None, None, None]
    reach = np.sqrt(x * x + y * y + z * z) + 0.02 * _field(rng, VOLUME, 3)
    tissue = np.where(_field(rng, VOLUME, 1.5) > 5 * (0.8 - reach), 2, 1)
    ventricles = np.square((np.abs(x) - 0.15) / 0.12) + np.square(y / 0.4) + np.square(z / 0.4) < 1
    fissure = (np.abs(x + 0.02 * _field(rng, VOLUME, 2)) < 0.05) & (reach > 0.65)
    tissue[ventricles | fissure] = 3

    centre = middle + rng.uniform(-0.45, 0.45, 3) * middle
    radii = rng.uniform(5.5, 7.5) * rng.uniform(0.75, 1.2, 3)
    brain = reach < 1
    whole = np.where(brain, _blob(rng, VOLUME, centre, radii, 0.2, 2), -1)
    core = np.where(whole > 0, _blob(rng, VOLUME, centre, radii * rng.uniform(0.55, 0.75), 0.15, 1.5), -1)
    necrosis = core > core.max() * rng.uniform(0.3, 0.5)
    mask = np.select([necrosis, core > 0, whole > 0], [1, 4, 2], 0).astype(np.uint8)
    tissue = np.where(mask > 0, np.array([0, 4, 5, 0, 6])[mask], tissue) * brain

    contrast = _TISSUES * rng.uniform(0.93, 1.07, _TISSUES.shape)
    light = ndimage.gaussian_filter(contrast[:, tissue], (0, 0.5, 0.5, 0.5))
    texture = np.stack([1 + 0.06 * _field(rng, VOLUME, 1) for _ in light])
    bias = np.exp([0.12 * _field(rng, VOLUME, 8) for _ in light])
    noise = 0.03 * rng.normal(size=light.shape)
    counts = np.rint(1000 * np.clip(light * texture * bias + noise, 0, None) * brain)
    slopes = 10 ** rng.uniform(-2, 2) * rng.uniform(0.6, 1.6, (4, 1, 1, 1))
    return (counts * slopes).astype(np.float32), mask

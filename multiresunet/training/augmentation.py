"""Random changes of training images: a whole batch at once, each image by its own numbers, on the batch's device.

In plain torch, from generators seeded by names. MONAI's random transforms can be seeded too (`set_random_state`), but
take one image at a time, and draw even the noise on the CPU. Kornia's take batches, but draw from torch's global
generator, and have no brightness, contrast or noise for volumes.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from multiresunet.config import Augment, Strength
from multiresunet.seeds import generator_for, seed_for


class Part(NamedTuple):
    """Which images of a batch a device has."""

    total: int
    own: slice


def augment(
    images: Tensor,
    labels: Tensor,
    chances: Augment,
    seed: int,
    names: tuple[str | int, ...],
    part: Part | None = None,
) -> tuple[Tensor, Tensor]:
    """Flip, turn, rotate, zoom and shift images with their labels; change brightness, contrast and noise of images.

    All movements of an image are one resampling: linear for images, nearest for labels; beyond the border the
    border's values are repeated. Everything but the noise is drawn on the CPU, so a GPU moves images in the same way.

    Args:
        images: N×C×(D×)H×W, float32 of any scale.
        labels: N×1×(D×)H×W, float32.
        chances: probabilities and strengths.
        seed, names: what the numbers depend on.
        part: which images of the batch these are, if several devices share it: they get the same numbers as on one.
    """
    total, own = part or Part(len(images), slice(None))
    generator = generator_for(seed, *names)
    matrices = movements(total, tuple(images.shape[2:]), chances, generator)[own]
    # grid_sample counts axes from the last one.
    theta = torch.cat([matrices[:, :, :-1].flip(1, 2), matrices[:, :, -1:].flip(1)], dim=2).float()
    grid = F.affine_grid(theta.to(images.device, non_blocking=True), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    labels = F.grid_sample(labels, grid, mode="nearest", padding_mode="border", align_corners=False)

    one_each = (-1, *[1] * (images.dim() - 1))

    def drawn(change: Strength | None, low: float) -> Tensor:
        """For each image a number from low·strength to strength, or 0."""
        if change is None:
            return torch.zeros(())
        numbers = torch.rand(2, total, generator=generator)[:, own]
        amount = (numbers[0] < change.probability) * (low + (1 - low) * numbers[1]) * change.strength
        return amount.view(one_each).to(images.device, non_blocking=True)

    contrast, brightness, noise = drawn(chances.contrast, -1), drawn(chances.brightness, -1), drawn(chances.noise, 0)
    flat = images.flatten(1)
    mean, deviation = flat.mean(1).view(one_each), flat.std(1).view(one_each)
    if chances.contrast is not None:
        images = mean + (images - mean) * (1 + contrast)
    if chances.brightness is not None:
        images = images + brightness * deviation
    if chances.noise is not None:
        source = torch.Generator(images.device).manual_seed(seed_for(seed, *names, "noise"))
        grain = torch.randn((total, *images.shape[1:]), generator=source, device=images.device)[own]
        images = images + noise * deviation * grain
    return images, labels


def movements(count: int, size: tuple[int, ...], chances: Augment, generator: torch.Generator) -> Tensor:
    """For each image where its new pixels come from: count×d×(d+1) float64, axes in the arrays' order.

    In units of half a side from the centre, as `affine_grid` wants; angles and zoom are meant in pixels.
    """
    dims = len(size)
    matrices = torch.eye(dims, dtype=torch.float64).repeat(count, 1, 1)

    def chance(probability: float, shape: tuple[int, ...] = ()) -> Tensor:
        return torch.rand((count, *shape), generator=generator, dtype=torch.float64) < probability

    def uniform(shape: tuple[int, ...] = ()) -> Tensor:
        return 2 * torch.rand((count, *shape), generator=generator, dtype=torch.float64) - 1

    flips = 1 - 2 * chance(chances.flip, (dims,)).double()
    matrices = matrices * flips[:, None, :]
    planes = list(combinations(range(dims), 2))
    for plane in planes:
        turned = chance(chances.turn)
        quarters = torch.randint(1, 4, (count,), generator=generator)
        if size[plane[0]] != size[plane[1]]:
            quarters = torch.full_like(quarters, 2)
        matrices = matrices @ _rotation(dims, plane, (quarters * turned).double() * 90)
    shift = torch.zeros(count, dims, dtype=torch.float64)
    if (affine := chances.affine) is not None:
        chosen = chance(affine.probability).double()
        for plane in planes:
            matrices = matrices @ _rotation(dims, plane, chosen * uniform() * affine.degrees)
        matrices = matrices * (1 + chosen * uniform() * affine.scale)[:, None, None]
        shift = 2 * affine.shift * chosen[:, None] * uniform((dims,))
    half = torch.tensor(size, dtype=torch.float64)
    matrices = matrices * half[None, None, :] / half[None, :, None]
    return torch.cat([matrices, shift[..., None]], dim=2)


def _rotation(dims: int, plane: tuple[int, int], degrees: Tensor) -> Tensor:
    """Rotations by `degrees` (N) in a plane; exact for multiples of 90."""
    radians = torch.deg2rad(degrees)
    exact = degrees % 90 == 0
    cosine, sine = (torch.where(exact, part.round(), part) for part in (radians.cos(), radians.sin()))
    matrices = torch.eye(dims, dtype=torch.float64).repeat(len(degrees), 1, 1)
    a, b = plane
    matrices[:, a, a], matrices[:, a, b] = cosine, -sine
    matrices[:, b, a], matrices[:, b, b] = sine, cosine
    return matrices

"""Training patches: windows of images that keep their size, drawn by a seeded sampler that looks for foreground."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from multiresunet.data.dataset import IGNORED, PreparedDataset, as_floats
from multiresunet.seeds import seed_for

Indices = NDArray[np.int64]
BALANCE = 0.5  # of the patches hold foreground for sure, where there is any
KNOWN = 4096  # foreground pixels of each class that are remembered of an image
MOST = 64  # patches of one image in an epoch, at most


def pool(data: PreparedDataset, indices: Indices) -> Indices:
    """What an epoch is made of: each image once; or as often as there are patches side by side in it, up to `MOST`."""
    if data.window is None:
        return indices
    counts = [min(MOST, max(1, round(data.masks[int(i)].size / prod(data.window)))) for i in indices]
    return np.repeat(indices, counts)


@dataclass
class PatchSampler:
    """Draws patches of the data set's window.

    data: whose images keep their sizes.
    seed: with a batch's names and a patch's place in it, all that the place of a patch in its image depends on.
    """

    data: PreparedDataset
    seed: int
    _foreground: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)

    def draw(
        self, indices: Indices, names: tuple[str | int, ...], places: Indices
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Patches N×C×(D×)H×W of the images of `indices`, and labels N×1×(D×)H×W.

        Every other patch, by chance, has a foreground pixel, of a class that is drawn first, somewhere in its middle
        half; the rest lie anywhere. Where an image is smaller than the window, its border's values go on, and labels
        are `IGNORED`.

        Args:
            indices: of images.
            names: of the batch.
            places: of each patch in the batch.
        """
        window = self.data.window
        assert window is not None
        images, labels = [], []
        for index, place in zip(indices.tolist(), places.tolist(), strict=True):
            rng = np.random.default_rng(seed_for(self.seed, "patch", *names, place))
            mask = self.data.masks[index]
            corner = self.corner(index, rng)
            cut = tuple(slice(c, c + w) for c, w in zip(corner, window, strict=True))
            missing = [(0, max(0, w - side)) for w, side in zip(window, mask.shape, strict=True)]
            images.append(np.pad(self.data.images[index][:, *cut], [(0, 0), *missing], mode="edge"))
            labels.append(np.pad(mask[cut], missing, constant_values=IGNORED))
        return as_floats(np.stack(images)), np.stack(labels)[:, None].astype(np.float32)

    def corner(self, index: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Where a patch of an image begins."""
        window = self.data.window
        assert window is not None
        shape = self.data.masks[index].shape
        room = [max(0, side - w) for side, w in zip(shape, window, strict=True)]
        known = self._known(index)
        if not known or rng.random() >= BALANCE:
            return tuple(int(rng.integers(0, most + 1)) for most in room)
        pixels = known[rng.integers(len(known))]
        pixel = np.unravel_index(int(pixels[rng.integers(len(pixels))]), shape)
        # The pixel lies somewhere in the patch's middle half, so that no network learns to look at the centre.
        off = [int(rng.integers(w // 4, w - w // 4)) for w in window]
        return tuple(int(np.clip(p - o, 0, most)) for p, o, most in zip(pixel, off, room, strict=True))

    def _known(self, index: int) -> list[NDArray[np.int64]]:
        """Some foreground pixels of an image, one array a class."""
        if index not in self._foreground:
            flat = np.asarray(self.data.masks[index]).ravel()
            rng = np.random.default_rng(seed_for(self.seed, "foreground", index))
            found = []
            for label in np.setdiff1d(np.unique(flat), [0, IGNORED]):
                pixels = np.flatnonzero(flat == label)
                found.append(pixels if len(pixels) <= KNOWN else rng.choice(pixels, KNOWN, replace=False))
            self._foreground[index] = found
        return self._foreground[index]

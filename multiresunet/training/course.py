"""The course of a training: which batches it takes, epoch by epoch.

Where a recipe gives `epochs`, an epoch is one pass over the training images. Where it gives `updates`, training is so
many steps of the optimiser, whatever the number of images, and an epoch is a twentieth of that (of the recipe's number,
also for a model that is trained longer): passes go on from one epoch to the next. In both cases an epoch ends with a
validation, which is a point of the learning curve.
"""

from __future__ import annotations

import torch

from multiresunet.config import Recipe
from multiresunet.seeds import generator_for
from multiresunet.training.loader import Indices, batches


class Course:
    """The batches of a training.

    Args:
        images: the training images' indices.
        recipe: its batch, and its updates or epochs.
        seed: of the order of the images in each pass.
    """

    def __init__(self, images: Indices, recipe: Recipe, seed: int) -> None:
        self._images, self._recipe, self._seed = images, recipe, seed
        self._per_pass = len(batches(images, recipe.batch))

    def steps(self, epochs: int) -> int:
        """How many steps the first so many epochs have."""
        if self._recipe.updates is None:
            return epochs * self._per_pass
        return epochs * self._recipe.updates // self._recipe.epoch_count

    def batches_of(self, epoch: int) -> list[Indices]:
        """The batches of an epoch, which count from 1; the order in a pass depends on the seed and the pass alone."""
        first, end = self.steps(epoch - 1), self.steps(epoch)
        begun = first // self._per_pass
        found = [batch for number in range(begun, -(-end // self._per_pass)) for batch in self._pass(number + 1)]
        skipped = first - begun * self._per_pass
        return found[skipped : skipped + end - first]

    def _pass(self, number: int) -> list[Indices]:
        order = torch.randperm(len(self._images), generator=generator_for(self._seed, "order", number))
        return batches(self._images[order.numpy()], self._recipe.batch)

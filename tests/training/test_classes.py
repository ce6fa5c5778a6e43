"""Several classes: from the declared rule, through softmax, to metrics per class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.config import Model
from multiresunet.data.dataset import PreparedDataset
from multiresunet.inference.logits import foreground, label
from multiresunet.inference.samples import cross_validated
from multiresunet.nets import build_network
from multiresunet.training.fit import fit
from multiresunet.training.job import network_of
from multiresunet.training.loader import Loader
from multiresunet.training.losses import loss_by_name
from multiresunet.training.validation import validate
from tests.discs import discs
from tests.training.making import RECIPE, job_of


def halves(dims: int) -> PreparedDataset:
    """Discs (or balls) whose upper half is a darker class than their lower one."""
    data = discs(12, (32,) * dims if dims == 2 else (16,) * dims, 1, 3)
    masks = data.masks.copy()
    for image, mask in zip(data.images, masks, strict=True):
        rows = np.flatnonzero(mask.any(axis=tuple(range(1, dims))))
        lower = np.zeros_like(mask, dtype=bool)
        lower[(rows[0] + rows[-1] + 1) // 2 :] = True
        mask[lower & (mask > 0)] = 2
        image[0][mask == 2] = np.minimum(image[0][mask == 2], 205) + 50
    return replace(data, masks=masks, classes=("upper", "lower"))


@pytest.mark.parametrize("dims", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_both_classes_are_learnt(dims: int) -> None:
    data = halves(dims)
    recipe = RECIPE.model_copy(update={"loss": "bce" if dims == 2 else "dice_bce"})
    spec = network_of(Model(network="multiresunet", filters=4, alpha=1.67), recipe, data)
    assert spec.classes == 3
    fitted = fit(job_of(data, spec=spec, recipe=recipe, epochs=15 if dims == 2 else 30))
    assert fitted.history[-1].test_jaccard > 0.7
    network = build_network(spec)
    network.load_state_dict(fitted.last)
    _, test = data.split(0)
    found = cross_validated(lambda _: network, data, 4, torch.device("cpu"), lambda logits: label(logits, 0.5))
    assert found.dtype == np.uint8
    for number in (1, 2):
        both = ((found == number) & (data.masks == number))[test].sum()
        assert both / ((found == number) | (data.masks == number))[test].sum() > 0.6


def test_without_classes_there_is_one_logit(disc_images: PreparedDataset) -> None:
    assert network_of(Model(network="unet", filters=4), RECIPE, disc_images).classes == 1


def test_labels_are_of_the_foreground_and_of_nothing_else() -> None:
    logits = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for threshold in (0.2, 0.5, 0.9):
        labels = label(logits, threshold)
        assert torch.equal(labels > 0, foreground(logits) >= threshold)
        inside = labels > 0
        assert torch.equal(labels[inside].long(), 1 + logits[:, 1:].argmax(1)[inside])
    torch.testing.assert_close(foreground(logits), torch.softmax(logits, 1)[:, 1:].sum(1))


def test_one_logit_is_one_class() -> None:
    logits = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(label(logits, 0.5), (logits[:, 0] >= 0).to(torch.uint8))


def test_the_jaccard_is_that_of_all_classes_together() -> None:
    """A network that takes one class for the other loses nothing here; the tables per class show it."""
    data = halves(2)

    class Swapped(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            truth = torch.from_numpy(data.masks[: len(images)]).long()
            return 9.0 * torch.nn.functional.one_hot(truth, 3).movedim(-1, 1)[:, [0, 2, 1]]

    loader = Loader(data, torch.device("cpu"))
    _, jaccard, dice = validate(Swapped(), loader, np.arange(12), 12, 0.5, loss_by_name("bce", 3))  # type: ignore[arg-type]
    np.testing.assert_array_equal(jaccard, 1)
    np.testing.assert_array_equal(dice, 1)


def test_class_names_come_back_with_the_arrays(tmp_path: Path) -> None:
    data = halves(2)
    np.save(tmp_path / "images.npy", data.images)
    np.save(tmp_path / "masks.npy", data.masks)
    data.table.to_csv(tmp_path / "samples.csv", index=False)
    assert PreparedDataset.open(tmp_path).classes == ()
    (tmp_path / "classes.json").write_text('["upper", "lower"]')
    assert PreparedDataset.open(tmp_path).classes == ("upper", "lower")

"""Images and labels move together, only as far as the recipe says, and always in the same way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from multiresunet.config import Affine, Augment, Strength
from multiresunet.training.augmentation import augment

NOTHING = Augment(flip=0, turn=0, affine=None, brightness=None, contrast=None, noise=None)
AFFINE = Affine(probability=1, degrees=15, scale=0.2, shift=0.1)
HALF = Strength(probability=1, strength=0.5)


def pair(size: tuple[int, ...], count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(count, 2, *size, generator=torch.Generator().manual_seed(0))
    return images, (images[:, :1] > 0.7).float()


def changed(**parts: object) -> Augment:
    return NOTHING.model_copy(update=parts)


@pytest.mark.parametrize("size", [(16, 16), (16, 32), (16, 16, 16), (16, 32, 16)])
def test_without_chances_nothing_changes(size: tuple[int, ...]) -> None:
    images, labels = pair(size)
    new_images, new_labels = augment(images, labels, NOTHING, 1, ("a",))
    torch.testing.assert_close(new_images, images)
    assert torch.equal(new_labels, labels)


@pytest.mark.parametrize("size", [(16, 16), (16, 32), (16, 16, 16), (16, 32, 16)])
def test_flips_and_turns_move_pixels_and_lose_none(size: tuple[int, ...]) -> None:
    images, labels = pair(size)
    new_images, new_labels = augment(images, labels, changed(flip=0.5, turn=0.8), 1, ("a",))
    for old, new, old_label, new_label in zip(images, new_images, labels, new_labels, strict=True):
        torch.testing.assert_close(new.flatten(1).sort().values, old.flatten(1).sort().values)
        torch.testing.assert_close((new[:1] > 0.7).float(), new_label)
        assert old_label.sum() == new_label.sum()
    assert not torch.allclose(new_images, images)


def test_turns_are_those_of_the_square() -> None:
    images, labels = pair((16, 16), 40)
    new, _ = augment(images, labels, changed(turn=1.0), 1, ("a",))
    seen = [
        [n for n in (1, 2, 3) if torch.allclose(one.rot90(n, (1, 2)), other, atol=1e-4)]
        for one, other in zip(images, new, strict=True)
    ]
    assert sorted({n for found in seen for n in found}) == [1, 2, 3]
    assert all(len(found) == 1 for found in seen)


@pytest.mark.parametrize("dims", [2, 3])
def test_labels_follow_their_image(dims: int) -> None:
    """A ball's bright inside is its label before and after; a wrong order of axes would part them."""
    axes = torch.stack(torch.meshgrid(*[torch.arange(24.0)] * dims, indexing="ij"))
    centre = torch.tensor([9.0, 15.0, 12.0][:dims]).view(-1, *[1] * dims)
    inside = ((((axes - centre) / torch.tensor([3.0, 6.0, 4.0][:dims]).view(-1, *[1] * dims)) ** 2).sum(0) < 1).float()
    images = inside.expand(8, 1, *inside.shape).contiguous()
    new, labels = augment(images, images.clone(), changed(affine=AFFINE, flip=0.5, turn=0.5), 3, ("a",))
    both, either = ((new > 0.5) & (labels > 0.5)).sum(), ((new > 0.5) | (labels > 0.5)).sum()
    assert both / either > 0.85
    assert set(labels.unique().tolist()) == {0.0, 1.0}
    assert (both / inside.sum() / 8 - 1).abs() < 0.3


def test_a_shift_is_a_share_of_the_side_in_every_axis() -> None:
    images = torch.zeros(200, 1, 20, 40)
    images[..., 8:12, 18:22] = 1
    only_shift = Affine(probability=1, degrees=0, scale=0, shift=0.25)
    new, _ = augment(images, images.clone(), changed(affine=only_shift), 1, ("a",))
    weights = new / new.sum((1, 2, 3), keepdim=True)
    rows = (weights.sum((1, 3)) * torch.arange(20.0)).sum(1) - 9.5
    columns = (weights.sum((1, 2)) * torch.arange(40.0)).sum(1) - 19.5
    assert 4 < rows.abs().max() <= 5.01
    assert 8 < columns.abs().max() <= 10.01


def test_brightness_contrast_and_noise_leave_labels_alone_and_keep_their_strength() -> None:
    images, labels = pair((16, 16), 200)
    deviation, mean = images.flatten(1).std(1), images.flatten(1).mean(1)
    for part in ("brightness", "contrast", "noise"):
        new, same = augment(images, labels, changed(**{part: HALF}), 1, ("a",))
        assert torch.equal(same, labels)
        moved = (new.flatten(1).mean(1) - mean) / deviation
        spread = new.flatten(1).std(1) / deviation
        if part == "brightness":
            assert 0.4 < moved.abs().max() <= 0.501
            torch.testing.assert_close(spread, torch.ones(200))
        elif part == "contrast":
            assert moved.abs().max() < 1e-3
            assert 0.5 <= spread.min() < 0.6
            assert 1.4 < spread.max() <= 1.501
        else:
            assert 1.05 < spread.max() < 1.25


def test_a_chance_is_that_of_each_image() -> None:
    images, labels = pair((16, 16), 400)
    new, _ = augment(images, labels, changed(brightness=Strength(probability=0.25, strength=1)), 1, ("a",))
    share = ((new - images).abs().amax((1, 2, 3)) > 1e-4).float().mean()
    assert 0.15 < share < 0.35


def test_only_the_names_decide() -> None:
    images, labels = pair((16, 16))
    everything = Augment(flip=0.5, turn=0.5, affine=AFFINE, brightness=HALF, contrast=HALF, noise=HALF)
    one = augment(images, labels, everything, 1, ("a", 2))
    torch.manual_seed(5)
    assert torch.equal(one[0], augment(images, labels, everything, 1, ("a", 2))[0])
    assert not torch.equal(one[0], augment(images, labels, everything, 1, ("a", 3))[0])
    assert not torch.equal(one[0], augment(images, labels, everything, 2, ("a", 2))[0])


def test_monais_transforms_can_be_seeded_but_change_a_batch_as_one_image() -> None:
    """Why augmentation is plain torch: ours turns each image of a batch by its own numbers."""
    from monai.transforms.spatial.array import RandFlip

    images, labels = pair((16, 16), 8)
    flip = RandFlip(prob=0.5, spatial_axis=0)
    runs = []
    for global_seed in (1, 2):
        flip.set_random_state(3)
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002  (that global state plays no part is what is tested)
        runs.append([torch.as_tensor(flip(images[:, 0])) for _ in range(8)])
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))
    changed_by_monai = [(flipped != images[:, 0]).flatten(1).any(1) for flipped in runs[0]]
    assert {int(images_changed.sum()) for images_changed in changed_by_monai} == {0, 8}

    ours, _ = augment(images, labels, changed(flip=0.5), 1, ("a",))
    assert 0 < ((ours - images).abs() > 1e-3).flatten(1).any(1).sum() < 8

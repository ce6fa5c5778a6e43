"""Batches are the same, wherever the data lies."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from multiresunet.data.dataset import PreparedDataset
from multiresunet.training.loader import Loader

BATCHES = [np.array([3, 1, 4]), np.array([1, 5]), np.array([0])]


@pytest.mark.parametrize("kind", ["disc_images", "disc_volumes"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_held_or_mapped_the_batches_are_the_same(
    kind: str, dtype: type, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: PreparedDataset = request.getfixturevalue(kind)
    np.save(tmp_path / "images.npy", data.images.astype(dtype))
    np.save(tmp_path / "masks.npy", data.masks)
    data.table.to_csv(tmp_path / "samples.csv", index=False)
    mapped = PreparedDataset.open(tmp_path)
    device = torch.device("cpu")
    ahead, held = (list(Loader(mapped, device, resident=resident)(BATCHES)) for resident in (False, True))
    assert len(ahead) == len(held) == 3
    for indices, (images, labels), (same_images, same_labels) in zip(BATCHES, ahead, held, strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)
        assert images.stride() == same_images.stride()
        expected, truth = mapped.batch(indices)
        np.testing.assert_array_equal(images.numpy(), expected)
        np.testing.assert_array_equal(labels.numpy(), truth)
        assert images.is_contiguous(memory_format=Loader(mapped, device).layout)


def test_using_a_batch_up_leaves_the_data_alone(disc_images: PreparedDataset) -> None:
    loader = Loader(disc_images, torch.device("cpu"), resident=True)
    for images, labels in loader(BATCHES):
        images.zero_()
        labels.zero_()
    first, _ = next(loader(BATCHES))
    assert first.any()


def test_a_broken_off_epoch_leaves_no_reader(disc_images: PreparedDataset) -> None:
    coming = Loader(disc_images, torch.device("cpu"))(BATCHES)
    next(coming)
    coming.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_no_batch_is_no_batch(disc_images: PreparedDataset) -> None:
    assert list(Loader(disc_images, torch.device("cpu"))([])) == []

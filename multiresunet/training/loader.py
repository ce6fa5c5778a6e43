"""Batches on the device: from arrays that lie there, or from the memory map, read ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError

Indices = NDArray[np.int64]
Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]
ROOM = 0.5  # of the device's free memory, for data


class Loader:
    """A prepared data set as batches of float32 images, channels last, and float32 labels.

    An accelerator that has room for all of it holds it as it is on disk (uint8 or float32); a batch is then a matter
    of the device alone. Otherwise, and on the CPU, whose memory the map's pages are already, batches are read from
    the map by a thread of their own, one ahead.

    Args:
        data: the data set.
        device: where the batches are wanted.
        resident: whether to hold all of it there; None: if it is an accelerator with room.
    """

    def __init__(self, data: PreparedDataset, device: torch.device, resident: bool | None = None) -> None:
        self.data, self.device = data, device
        self.layout = torch.channels_last if data.dims == 2 else torch.channels_last_3d
        self._held: tuple[Tensor, Tensor] | None = None
        if resident is None:
            size = data.images.nbytes + data.masks.nbytes
            resident = (
                data.window is None and device.type == "cuda" and size <= ROOM * torch.cuda.mem_get_info(device)[0]
            )
        if resident:
            images, masks = (torch.from_numpy(np.array(array)).to(device) for array in (data.images, data.masks))
            self._held = images, masks[:, None]

    def __call__(
        self, batches: Sequence[Indices], draw: Callable[[int, Indices], Arrays] | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images N×C×(D×)H×W and labels N×1×(D×)H×W of each batch of indices.

        Args:
            batches: indices into the data set.
            draw: from a batch's number, from 0, and its indices to other arrays than all of these images: patches.
        """
        if not batches:
            return
        if self._held is not None:
            images, masks = self._held
            order = torch.from_numpy(np.concatenate(batches)).to(self.device)
            for chosen in order.split([len(batch) for batch in batches]):
                batch = images[chosen].to(torch.float32, memory_format=self.layout)
                yield batch.div_(255) if images.dtype == torch.uint8 else batch, masks[chosen].float()
            return
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, 0, batches[0], draw)
            for number, following in enumerate((*batches[1:], None), start=1):
                read = coming.result()
                if following is not None:
                    coming = reader.submit(self._read, number, following, draw)
                batch, labels = (part.to(self.device, non_blocking=True) for part in read)
                yield batch.to(memory_format=self.layout), labels

    def _read(
        self, number: int, indices: Indices, draw: Callable[[int, Indices], Arrays] | None
    ) -> tuple[Tensor, Tensor]:
        arrays = self.data.batch(indices) if draw is None else draw(number, indices)
        images, labels = (torch.from_numpy(array) for array in arrays)
        if self.device.type == "cuda":
            return images.pin_memory(), labels.pin_memory()
        return images, labels


def batches(indices: Indices, size: int) -> list[Indices]:
    """Cut into batches of `size`; the last may be smaller, but a lone image joins the batch before it.

    Statistics of one image whose deepest level is a single pixel aren't defined.

    Raises:
        UserError: if there is only one image in all.
    """
    if len(indices) < 2:
        raise UserError(f"training needs at least two images, there is {len(indices)}; add data, or lower folds.count")
    starts = list(range(0, len(indices), size))
    if len(indices) - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    return np.split(indices, starts[1:])


def in_order(indices: Indices, batch: int) -> list[Indices]:
    """Batches of indices as they stand; the last may be smaller."""
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]

"""Tiles: as if the network had seen all at once where it can't tell, whatever the sizes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from multiresunet.inference.tiles import FLOOR, Tiled, gaussian, starts


class Pointwise(nn.Module):
    """Two logits a pixel that depend on that pixel alone."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :1] * 2 + 1, -x[:, :1]], dim=1)


class Counting(nn.Module):
    """Remembers how large its inputs were."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        return x[:, :1]


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (7, 40), (5, 5)])
def test_what_depends_on_a_pixel_alone_is_as_without_tiles(size: tuple[int, ...]) -> None:
    images = torch.rand(2, 1, *size)
    torch.testing.assert_close(Tiled(Pointwise(), (16, 16))(images), Pointwise()(images))


def test_volumes_are_cut_in_all_three_axes() -> None:
    volume = torch.rand(1, 1, 20, 9, 33)
    torch.testing.assert_close(Tiled(Pointwise(), (16, 16, 16), batch=3)(volume), Pointwise()(volume))


def test_the_network_is_shown_windows_alone_and_few_at_a_time() -> None:
    network = Counting()
    Tiled(network, (16, 16), batch=4)(torch.rand(1, 1, 64, 48))
    assert {shape[2:] for shape in network.seen} == {(16, 16)}
    assert max(shape[0] for shape in network.seen) == 4
    assert sum(shape[0] for shape in network.seen) == 7 * 5


@pytest.mark.parametrize(
    ("side", "window", "first"), [(16, 16, [0]), (10, 16, [0]), (32, 16, [0, 8, 16]), (17, 16, [0, 1])]
)
def test_windows_begin_and_end_with_the_image(side: int, window: int, first: list[int]) -> None:
    assert starts(side, window, 0.5) == first


def test_windows_have_at_least_the_overlap() -> None:
    for side in range(17, 200, 7):
        found = starts(side, 16, 0.5)
        assert found[-1] == side - 16
        assert max(b - a for a, b in pairwise(found)) <= 8


def test_the_middle_of_a_window_counts_most() -> None:
    weight = gaussian((16, 32))
    assert weight.shape == (16, 32)
    assert weight.max() == weight[8, 16] == 1
    assert weight.min() == pytest.approx(FLOOR)


def test_no_seam_is_left_of_windows_that_disagree() -> None:
    class Disagreeing(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return torch.full_like(x[:, :1], float(self.calls % 2))

    found = Tiled(Disagreeing(), (16, 16), batch=1)(torch.rand(1, 1, 16, 64))[0, 0]
    assert (found.diff(dim=1).abs() < 0.75).all()  # a seam would be 1

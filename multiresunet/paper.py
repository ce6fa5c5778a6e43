"""The paper's numbers (Ibtehaz & Rahman 2020) that params.yaml is checked with, too; without PyTorch."""

from __future__ import annotations

Shares = tuple[float, float, float]

LEVELS = 4  # how often a network halves its input (figure 5)
STEP = 2**LEVELS  # so sides are multiples of this
FILTERS = 32  # U of the finest level (section 4)
SHARES: Shares = (0.167, 0.333, 0.5)  # of W, for the convolutions that stand for 3×3, 5×5 and 7×7 (section 4.1)
RESPATH = 4  # units of the finest ResPath, then 3, 2, 1 (section 4.2)
SUM_SLACK = 1e-9  # of shares that are written with a few decimals


def multires_widths(filters: int, alpha: float, shares: Shares = SHARES) -> tuple[int, int, int]:
    """Filters of the three convolutions of a MultiRes block: int(share · W) with W = α·U (section 4.1).

    Args:
        filters: U, the filters of U-Net at this level.
        alpha: α.
        shares: of W.

    Raises:
        ValueError: if one of them would have no filter.
    """
    width = alpha * filters
    first, second, third = (int(width * share) for share in shares)
    if min(first, second, third) < 1:
        raise ValueError(f"a MultiRes block with {filters} filters and alpha {alpha} has a convolution without filters")
    return first, second, third

"""What annotations of any kind share: areas of an image, and the lines about files that aren't as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiresunet.data import readers
from multiresunet.errors import UserError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Area:
    """A labelled area of an image: what is inside of any of its outlines (N×2, x and y in pixels), or a mask.

    corner: row and column of the mask's first pixel in the image.
    holes: whether an outline within another one is a hole.
    """

    label: str
    outlines: tuple[NDArray[np.float64], ...] = ()
    mask: Mask | None = None
    corner: tuple[int, int] = (0, 0)
    holes: bool = False


def check_size(image: Path, file: Path, *said: Any) -> None:
    """Refuse an annotation that was drawn on another height and width, where its file says them."""
    if not all(isinstance(side, int) and side > 0 for side in said):
        return
    shape = readers.read_image(image).shape[1:]
    if said != shape:
        sizes = ("×".join(map(str, each)) for each in (said, shape))
        raise UserError(
            f"{file}: drawn on {' pixels, and its image has '.join(sizes)} ({image}); see whether they belong together"
        )


@contextmanager
def understood(path: Path, kind: str) -> Iterator[None]:
    """One line about a file that isn't as its kind should be."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # what isn't there, or isn't of the type that it should be, is of many kinds
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)[:200]
        raise UserError(f"{path}: no {kind} that can be understood ({reason}); export it again") from None

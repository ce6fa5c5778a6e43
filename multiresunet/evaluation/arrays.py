"""Arrays in a file whose bytes depend on them alone."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray


def write(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write arrays by name as .npz, for `numpy.load`.

    `numpy.savez` asks for ZIP64, for which Python 3.11.2 and 3.11.7 write other headers. Nor is it packed, since each
    build of zlib packs in another way.
    """
    with ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            archive.writestr(ZipInfo(f"{name}.npy"), content.getvalue())  # of 1980: no time of writing

"""PNG, JPEG, BMP, GIF and whatever else Pillow knows by its content."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from multiresunet.data.readers.common import (
    ORIENTATION,
    Array,
    Read,
    apply_palette,
    channels_first,
    check_size,
    upright,
    without_alpha,
)
from multiresunet.errors import UserError
from multiresunet.registries import READERS

# Remarks on damaged files are no line for the user; the error that follows says it. Set once, here, since files are
# read in threads and filters belong to the whole process.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@READERS.register("pictures", suffixes=(".png", ".jpg", ".jpeg", ".bmp", ".gif"))
def read_picture(path: Path, as_mask: bool) -> Read:
    """C×H×W, uint8 or (16-bit PNG) uint16; what was converted; the format."""
    with Image.open(path) as picture:
        container = "JPEG" if picture.format == "MPO" else str(picture.format)  # an MPO has a preview behind it
        if picture.width * picture.height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise UserError(
                f"{path}: {picture.width}×{picture.height} pixels could be a decompression bomb; "
                "reduce it in size, or cut it into tiles"
            )
        pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        if pages > 1:
            raise UserError(f"{path}: holds {pages} images; save each as a file of its own, or the stack as TIFF")
        turn = int(picture.getexif().get(ORIENTATION, 1))
        # Pillow halves the bits of 16-bit colours.
        deep = picture.mode in ("RGB", "RGBA", "LA") and container == "PNG" and path.read_bytes()[24:25] == b"\x10"
        if deep:
            check_size(path, picture.width * picture.height * 8)
            array, notes, alpha = _deep(path)
        else:
            array, notes, alpha = _pixels(path, picture, as_mask)
    array, turned = upright(array, turn)
    if alpha is not None:
        alpha = upright(alpha, turn)[0]
    return Read(array, (*turned, *notes), container, alpha=alpha)


def _deep(path: Path) -> tuple[Array, tuple[str, ...], Array | None]:
    import imagecodecs  # here, since few files need it

    array = channels_first(imagecodecs.png_decode(path.read_bytes()))
    if len(array) in (2, 4):
        return without_alpha(array, 16)
    return array, (), None


def _pixels(path: Path, picture: Image.Image, as_mask: bool) -> tuple[Array, tuple[str, ...], Array | None]:
    mode = picture.mode
    if mode == "P":
        palette = np.asarray(picture.getpalette("RGB")).reshape(-1, 3)
        return *apply_palette(np.asarray(picture), palette, as_mask), None
    if mode in ("RGBA", "LA"):
        return without_alpha(channels_first(np.asarray(picture)), 8)
    if mode == "1":
        mode = "L"
    if mode not in ("L", "I;16", "RGB"):
        raise UserError(f"{path}: pixels of kind {mode} aren't known; save it as 8- or 16-bit grey or as RGB")
    return channels_first(np.asarray(picture.convert(mode))), (), None

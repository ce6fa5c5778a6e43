"""Pictures that are too large for memory: TIFF read by rows of its tiles or strips, and written by tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from multiresunet.data.readers import REPLACE, Array
from multiresunet.data.readers.common import ORIENTATION
from multiresunet.data.readers.tiff import check_colours
from multiresunet.errors import UserError
from multiresunet.inference import large, ranges, windows, writing
from multiresunet.inference.geometry import of_channels
from multiresunet.inference.outputs import Predicted
from multiresunet.registries import OUTPUTS

if TYPE_CHECKING:
    from multiresunet.inference.batch import Request
    from multiresunet.inference.inputs import Input
    from multiresunet.inference.model import Model

PART = 0.25  # of the memory, from which on an image with its probabilities isn't held whole
BLOCK = 2**25  # pixels that are measured at a time
TILE = 512  # of what is written
BIG = 2**32 - 2**25  # bytes, from which on TIFF needs 64-bit offsets


class TiffRows:
    """A TIFF with one picture, read by windows; the rows of the last window are kept.

    Raises:
        UserError: if it holds several pages, or pixels of kinds that aren't known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = tifffile.TiffFile(path)
        page = self._file.series[0].keyframe
        self._page: Any = page
        check_colours(path, page)
        planar = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and page.samplesperpixel > 1
        self._planes = page.samplesperpixel if planar else 1
        kinds = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
        remedy = ""
        if len(self._file.series[0].pages) != 1:
            remedy = "save each page as a file"
        elif page.photometric not in kinds:
            remedy = "save it as grey, or as RGB where the model takes colours"
        elif page.extrasamples:
            grey = page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
            remedy = f"save it without alpha ({'grey' if grey else 'RGB'})"
        if remedy:
            raise UserError(f"{path}: too large to be read whole, and of a kind that isn't read in parts; {remedy}")
        self.shape: tuple[int, int] = (page.imagelength, page.imagewidth)
        self.channels: int = page.samplesperpixel
        self.dtype: np.dtype[Any] = np.dtype(page.dtype)
        self._held: tuple[int, int, Array] | None = None

    def __enter__(self) -> TiffRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __call__(self, window: tuple[slice, ...]) -> Array:
        """C×rows×columns of a window that lies in the picture."""
        rows, columns = window
        if self._held is None or self._held[:2] != (rows.start, rows.stop):
            self._held = None  # before the next is read, since both may not fit
            self._held = rows.start, rows.stop, self._read(rows.start, rows.stop)
        return self._held[2][:, :, columns]

    def _read(self, start: int, stop: int) -> Array:
        try:
            return self._rows(start, stop)
        except MemoryError:
            raise
        except Exception as error:  # damaged bytes make decoders raise what comes to hand
            what = str(error)[:300] or type(error).__name__
            raise UserError(f"{self._path}: damaged or not readable ({what}); {REPLACE}") from None

    def _rows(self, start: int, stop: int) -> Array:
        page, width = self._page, self.shape[1]
        found = np.empty((self.channels, stop - start, width), self.dtype)
        if page.is_contiguous and self._planes == 1:  # uncompressed: no segment needs to be read whole
            row = width * self.channels
            handle = self._file.filehandle
            handle.seek(page.dataoffsets[0] + start * row * self.dtype.itemsize)
            data = handle.read((stop - start) * row * self.dtype.itemsize)
            stored = np.frombuffer(data, self.dtype.newbyteorder(self._file.byteorder))
            found[:] = np.moveaxis(stored.reshape(stop - start, width, self.channels), -1, 0)
            return found
        high = page.tilelength if page.is_tiled else page.rowsperstrip
        across = math.ceil(width / page.tilewidth) if page.is_tiled else 1
        down = math.ceil(self.shape[0] / high)
        wanted = [
            (plane * down + row) * across + column
            for plane in range(self._planes)
            for row in range(start // high, math.ceil(stop / high))
            for column in range(across)
        ]
        for index in wanted:
            self._place(index, start, stop, found)
        return found

    def _place(self, index: int, start: int, stop: int, found: Array) -> None:
        page = self._page
        handle = self._file.filehandle
        handle.seek(page.dataoffsets[index])
        data = handle.read(page.databytecounts[index]) or None
        if len(data or b"") < page.databytecounts[index]:
            raise ValueError("it ends too early")
        segment, (plane, _, top, left, _), (_, high, wide, _) = page.decode(data, index, jpegtables=page.jpegtables)
        first, last = max(start, top), min(stop, top + high)
        wide = min(wide, self.shape[1] - left)  # the last tile reaches over the edge
        channels = slice(plane, plane + 1) if self._planes > 1 else slice(None)
        place = (channels, slice(first - start, last - start), slice(left, left + wide))
        if segment is None:  # a hole, which stands for zeros
            found[place] = 0
        else:
            found[place] = np.moveaxis(segment[0, first - top : last - top, :wide], -1, 0)


def streamable(path: Path, model: Model, request: Request) -> bool:
    """Whether a file is to be read and written in parts; one with an orientation isn't, since parts aren't turned.

    Raises:
        UserError: if it must be, and what is to be saved needs it whole.
    """
    if request.options.how != "tiles" or model.description.data.dims != 2:
        return False
    if not path.name.lower().endswith((".tif", ".tiff")) or not path.is_file() or not path.stat().st_size:
        return False
    try:
        with tifffile.TiffFile(path) as file:
            shape, size = file.series[0].shape, file.series[0].dtype.itemsize
            turned = ORIENTATION in file.pages.first.tags and file.pages.first.tags[ORIENTATION].value in range(2, 9)
    except Exception:  # damaged; the reader says how
        return False
    if turned:
        return False
    maps = model.predictor.spec.classes + 2
    if math.prod(shape) * (size + 8) + math.prod(shape[-2:]) * maps * 8 < PART * request.options.memory:
        return False
    whole = [name for name in request.save if not OUTPUTS.entries[name].facts["pixelwise"]]
    if whole or request.format not in (writing.SAME, "tif"):
        what = f"--save {whole[0]}" if whole else f"--format {request.format}"
        raise UserError(f"{path}: {what} needs the whole image in memory, which is too large; raise --memory")
    return True


def stream_file(model: Model, one: Input, request: Request) -> tuple[dict[str, Any], list[tuple[Path, Path]]]:
    """Predict a TIFF in parts; the row of predictions.csv, and pairs of draft and place of what is written."""
    from multiresunet.inference.batch import measured_of

    data, options = model.description.data, request.options
    with TiffRows(one.path) as rows, writing.without_drafts() as drafts, ExitStack() as stack:
        chosen = of_channels(rows.channels, data, str(one.path))
        seen = Statistics(rows, chosen)
        ranges.check(seen.low, seen.high, rows.dtype, data, str(one.path))
        standard = (seen.mean, seen.deviation) if data.normalisation != "rescale" else (None, None)
        spacing = writing.tiff_spacing(one.path, 2)
        read = windows.edged(lambda window: rows(window)[chosen], rows.shape)
        source = large.Source(read, rows.shape, spacing, *standard)
        warnings = ranges.outside_of(seen.summary, rows.shape, data, spacing, rows.dtype, str(one.path))
        targets = {name: writing.place_of(one, name, "tif", request.out) for name in request.save}
        spools = {name: target.with_name(f".spool-{target.name}") for name, target in targets.items()}
        drafts += spools.values()
        (request.out / one.name).parent.mkdir(parents=True, exist_ok=True)
        files = {name: stack.enter_context(path.open("wb")) for name, path in spools.items()}
        kinds: dict[str, np.dtype[Any]] = {}
        pixels, spread = 0, 0.0
        for maps in large.stream(model, source, options):
            part = model.prediction(maps, options, spacing, warnings)
            pixels += int(np.count_nonzero(part.mask))
            spread += float(part.spread.sum()) if part.spread is not None else 0.0
            for name, file in files.items():
                array = OUTPUTS[name](Predicted(part, None, request.instances))
                kinds[name] = array.dtype
                file.write(np.ascontiguousarray(array).data)
    written = [(writing.draft_of(target), target) for target in targets.values()]
    with writing.without_drafts() as drafts:
        drafts += [*spools.values(), *(draft for draft, _ in written)]
        for name, (draft, _) in zip(targets, written, strict=True):
            write_spool(spools[name], draft, rows.shape, kinds[name], one.path)
            spools[name].unlink()
    total = math.prod(rows.shape)
    row = measured_of(pixels / total, pixels, None, spread / total if part.spread is not None else None, part)
    return row, written


class Statistics:
    """Mean, deviation and range of a picture that is read in rows; of each channel in `chosen`."""

    def __init__(self, rows: TiffRows, chosen: slice) -> None:
        height, width = rows.shape
        step = max(1, BLOCK // (width * rows.channels))
        count, total, squares = height * width, 0.0, 0.0
        self.low, self.high = np.inf, -np.inf
        # Around the first rows' mean, since squares of large numbers would cancel out.
        around = rows((slice(0, min(step, height)), slice(0, width)))[chosen].mean(axis=(1, 2), dtype=np.float64)
        for start in range(0, height, step):
            block = rows((slice(start, min(start + step, height)), slice(0, width)))[chosen]
            self.low = float(np.minimum(self.low, block.min()))  # NaN if any value is
            self.high = float(np.maximum(self.high, block.max()))
            for some in np.array_split(block, max(1, block.shape[1] // 64), axis=1):
                away = some - around[:, None, None]
                total = total + away.sum(axis=(1, 2))
                squares = squares + (away**2).sum(axis=(1, 2))
        mean = np.asarray(around + total / count)
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
        self.mean = mean[:, None, None]
        self.deviation = np.maximum(deviation, 1e-12)[:, None, None]
        whole = float(mean.mean())
        self.summary = {
            "mean": whole,
            "deviation": float(np.sqrt((deviation**2 + (mean - whole) ** 2).mean())),
            "maximum": self.high,
        }


def write_spool(spool: Path, path: Path, shape: tuple[int, int], kind: np.dtype[Any], source: Path) -> None:
    """A TIFF, in tiles, of a file with its rows one after the other; with resolution and unit of `source`."""
    height, width = shape

    def pieces() -> Iterator[NDArray[Any]]:
        for top in range(0, height, TILE):
            count = min(TILE, height - top)
            rows = np.fromfile(spool, kind, count * width, offset=top * width * kind.itemsize).reshape(count, width)
            for left in range(0, width, TILE):
                piece = np.zeros((TILE, TILE), kind)
                part = rows[:, left : left + TILE]
                piece[: part.shape[0], : part.shape[1]] = part
                yield piece

    words = writing.tiff_geometry(source)
    if words.pop("imagej", False):  # which tifffile writes without tiles alone; in its own words it is the same
        words["description"] = tifffile.imagej_description(shape, "YX", **words.pop("metadata"))
        words["metadata"] = None
    with tifffile.TiffWriter(path, bigtiff=height * width * kind.itemsize > BIG) as writer:
        writer.write(
            pieces(),
            shape=shape,
            dtype=kind,
            tile=(TILE, TILE),
            compression="zlib",
            photometric="minisblack",
            **words,
        )

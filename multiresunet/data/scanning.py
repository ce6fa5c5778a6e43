"""Look at every sample of a user's files before anything is declared: shapes, channels, values, conversions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiresunet.config import MaskRule
from multiresunet.data import manifest, readers
from multiresunet.data.labels import Values, measure
from multiresunet.data.loading import load_mask, read_channels
from multiresunet.data.manifest import Sample
from multiresunet.data.parallel import at_once, blocks
from multiresunet.data.readers import palette_of
from multiresunet.data.readers.common import GREYS, INDICES, UndecidedError
from multiresunet.errors import UserError
from multiresunet.files import some_of

MOST = 2000  # samples that are looked at, evenly spaced


@dataclass(frozen=True)
class Seen:
    """What one sample holds.

    shape: of the image, without channels; mask_shape: of its mask.
    kind: the image's type, as "uint8"; low, high: its least and greatest finite value.
    values: of the mask, from `labels.measure`.
    spacing: in mm, if the file says.
    notes: what reading converted, with "image: " or "mask: " in front.
    """

    sample: str
    channels: int
    shape: tuple[int, ...]
    mask_shape: tuple[int, ...]
    kind: str
    low: float
    high: float
    values: Values
    jpeg: bool
    spacing: tuple[float, ...] | None
    notes: tuple[str, ...]


def look(folder: Path, samples: list[Sample], form: MaskRule | None, pages: str | None) -> list[Seen]:
    """Read up to `MOST` samples.

    Args:
        folder: with the files.
        samples: their names in it.
        form: says whether alpha is the mask, and what colours mean.
        pages: what a TIFF's pages are, where it doesn't say.

    Raises:
        UndecidedError: if somebody has to say how masks are read.
        UserError: naming all files that can't be read, or the few that are unlike the others.
    """
    chosen = [samples[i] for i in np.unique(np.linspace(0, len(samples) - 1, MOST).astype(int))]
    found: list[Seen] = []
    problems: list[UserError] = []
    files = (folder / path for sample in chosen for path in manifest.parts(sample.image))
    for block in blocks(lambda sample: _seen(folder, sample, form, pages), chosen, **at_once(files)):
        for _, one in block:
            if isinstance(one, Seen):
                found.append(one)
            else:
                problems += one
    if problems:
        undecided = all(isinstance(problem, UndecidedError) for problem in problems)
        raise (UndecidedError if undecided else UserError)(_in_one_line([str(problem) for problem in problems]))
    mixed = "some files are {} and some are {}"
    _check_alike(folder, found, lambda one: "volumes" if len(one.shape) == 3 else "images", mixed, "make two data sets")
    several = "images have {} or {} channels"
    _check_alike(folder, found, lambda one: str(one.channels), several, "convert them to the same")
    for one in found:
        if one.shape != one.mask_shape:
            shapes = ("×".join(map(str, shape)) for shape in (one.shape, one.mask_shape))
            hint = ""
            if len(one.mask_shape) == 2 and len(one.shape) == 3:
                hint = " (if the pages are channels, say --pages channels)"
            raise UserError(
                f"{folder}: the image of {one.sample} is {' and its mask '.join(shapes)}{hint}; export the mask at the "
                "image's size, or see whether the two belong together"
            )
    _check_palettes(folder, chosen, found)
    return found


def conversions(seen: list[Seen]) -> list[str]:
    """What reading converted, and in how many samples."""
    counts = Counter(note for one in seen for note in one.notes)
    return [f"{note} ({count} samples)" for note, count in sorted(counts.items())]


def _in_one_line(problems: list[str]) -> str:
    """What is wrong with files, each kind of problem once, with the first file in full and others by their names."""
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        what = problem.partition(": ")[2]
        kinds.setdefault(re.sub(r"[\d.]+", "", what), []).append(problem)
    said = []
    for alike in list(kinds.values())[:5]:
        others = some_of([Path(problem.partition(": ")[0]).name for problem in alike[1:]])
        said.append(alike[0] + (f" (as {others})" if others else ""))
    more = len(kinds) - len(said)
    return "; ".join(said) + (f"; and {more} other kinds of problems" if more else "")


def _seen(folder: Path, sample: Sample, form: MaskRule | None, pages: str | None) -> Seen | list[UserError]:
    problems = []
    image = mask = None
    try:
        image = read_channels(folder, sample.image, pages)
    except UserError as error:
        problems.append(error)
    try:
        mask = load_mask(folder, sample.mask, form, image)
    except UserError as error:
        problems.append(error)
    if image is not None and image.array.dtype.kind == "f" and not np.isfinite(image.array).all():
        share = 1 - np.isfinite(image.array).mean()
        line = f"{folder / sample.image}: {share:.2%} of its values are NaN or infinite; give them a number"
        problems.append(UserError(line))
    if image is None or mask is None or problems:
        return problems
    return Seen(
        sample.sample,
        len(image.array),
        image.array.shape[1:],
        mask.array.shape,
        str(image.array.dtype),
        float(image.array.min()),
        float(image.array.max()),
        measure(mask.array),
        mask.container == "JPEG",
        image.spacing,
        (*(f"image: {note}" for note in image.notes), *(f"mask: {note}" for note in mask.notes)),
    )


def _check_alike(folder: Path, seen: list[Seen], of: Callable[[Seen], str], words: str, remedy: str) -> None:
    """Refuse a mixture, and name those that are few.

    Raises:
        UserError: if samples differ.
    """
    counts = Counter(of(one) for one in seen).most_common()
    if len(counts) < 2:
        return
    kinds = sorted(kind for kind, _ in counts)
    odd = [one.sample for one in seen if of(one) != counts[0][0]]
    said = words.format(", ".join(kinds[:-1]), kinds[-1])
    raise UserError(f"{folder}: {said} ({counts[0][0]} mostly, others in {some_of(odd)}); {remedy}")


def _check_palettes(folder: Path, samples: list[Sample], seen: list[Seen]) -> None:
    """Refuse masks some of which are read by their palette's greys and some by its indices: one label, two values.

    Raises:
        UndecidedError: with the colours of one mask of each kind.
    """
    kinds = [
        [s for s, one in zip(samples, seen, strict=True) if f"mask: {how}" in one.notes] for how in (GREYS, INDICES)
    ]
    if not all(kinds):
        return
    first = [readers.read_image(folder / manifest.parts(some[0].mask)[0]) for some in kinds]
    shown = np.concatenate([np.broadcast_to(one, (3, *one.shape[1:])).reshape(3, 1, -1) for one in first], axis=-1)
    greys, indices = (f"{len(some)} ({some_of([one.sample for one in some])})" for some in kinds)
    raise UndecidedError(
        f"{folder}: the palettes of {greys} masks show greys alone, and those of {indices} colours, so one label would "
        f"be read as two values; say what each colour means: `data add --colours '{palette_of(shown)[1]}'`, or "
        "mask.colours in params.yaml"
    )


def instances_apart(samples: list[Sample]) -> bool:
    """Whether any mask is several files, one an instance."""
    return any(len(manifest.parts(sample.mask)) > 1 for sample in samples)

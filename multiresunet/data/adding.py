"""What `multiresunet data add` does beside pairing and proposing: options, patterns, pages, contact sheets."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import tifffile
import yaml
from PIL import Image
from pydantic import ValidationError

from multiresunet.config import Dataset, MaskRule, first_finding
from multiresunet.data import manifest, nnunet, pairing, readers
from multiresunet.data.pairing import PairedFiles
from multiresunet.data.proposal import Answers, Proposal
from multiresunet.data.readers.several import is_image_folder, is_litter
from multiresunet.data.sources import drawn
from multiresunet.errors import UserError
from multiresunet.files import some_of

SHEET = 12  # samples on a contact sheet
SIDE = 240  # pixels of each
PAGES = ("channels", "z", "samples")
COLOUR = re.compile(r"(#?[0-9a-fA-F]{6})=(-?\d+)")


def answers(mask: str | None, alpha: str | None, colours: str | None, pages: str | None, *, grouped: bool) -> Answers:
    """The options of `data add`, checked.

    Raises:
        UserError: naming the option that can't be used.
    """
    if alpha not in (None, "mask", "drop"):
        raise UserError(f"--alpha {alpha}: say mask (alpha is the mask) or drop")
    if pages not in (None, *PAGES):
        raise UserError(f"--pages {pages}: say {', '.join(PAGES[:-1])} or {PAGES[-1]}")
    rule: dict[str, Any] | None = None
    if mask is not None:
        try:
            tree = yaml.safe_load(mask)
            rule = MaskRule.model_validate(tree).model_dump(exclude_none=True)
        except yaml.YAMLError:
            raise UserError(f"--mask {mask!r}: not YAML; write it as in params.yaml: '{{above: 127}}'") from None
        except ValidationError as error:
            raise UserError(f"--mask {mask!r}: {first_finding(error)}; fix it") from None
    told = None
    if colours is not None:
        words = colours.replace(",", " ").split()
        odd = [word for word in words if not COLOUR.fullmatch(word)]
        if odd or not words:
            raise UserError(f"--colours {some_of(odd) or 'says nothing'}: write '#000000=0 #ff0000=1'")
        told = {f"#{word.partition('=')[0].removeprefix('#').lower()}": int(word.partition("=")[2]) for word in words}
    return Answers(
        rule=rule,
        alpha=None if alpha is None else alpha == "mask",
        colours=told,
        pages=None if pages == "samples" else pages,
        grouped=grouped,
    )


@dataclass(frozen=True)
class Given:
    """Where the user says that files are: patterns, an nnU-Net folder, or a CSV file of pairs."""

    images: str | None
    masks: str | None
    annotations: str | None = None
    nnunet: Path | None = None
    pairs: Path | None = None


@dataclass(frozen=True)
class Found:
    """Pairs, remarks for the user, and the masks' rule where the files themselves say it."""

    paired: PairedFiles
    said: list[str]
    rule: dict[str, Any] | None = None


@contextmanager
def found(given: Given, group_pattern: str | None) -> Iterator[Found]:
    """The pairs of what is given; masks drawn from annotations are there until the block ends.

    Raises:
        UserError: as `pairing.pair`, `pairing.listed`, `drawn.draw` and `nnunet.read`; or if too little, or too
            much, is given.
    """
    if given.pairs is not None or given.nnunet is not None:
        if {given.images, given.masks, given.annotations} != {None} or (given.pairs and given.nnunet):
            option = "--pairs" if given.pairs else "--nnunet"
            raise UserError(f"{option} says itself where images and masks are; leave the other options out")
        if given.pairs is not None:
            yield Found(pairing.listed(given.pairs, group_pattern), [])
        elif given.nnunet is not None:
            task = nnunet.read(given.nnunet)
            paired = pairing.grouped(task.paired, group_pattern)
            yield Found(paired, [f"channels: {', '.join(task.channels)}", *task.said], task.rule)
        return
    second = given.masks or given.annotations
    if given.images is None or second is None or (given.masks and given.annotations):
        raise UserError(
            "say where images and masks are: --images PATTERN with --masks PATTERN or --annotations PATTERN, "
            "or --pairs FILE.csv, or --nnunet FOLDER"
        )
    files, litter = {}, set[Path]()
    for role, pattern in (("images", given.images), ("masks", second)):
        files[role], left = files_of_pattern(pattern)
        litter |= set(left)
    names = sorted({path.name for path in litter})
    said = [f"{len(litter)} files that systems leave lying about are left out: {some_of(names)}"] if litter else []
    if given.masks:
        yield Found(pairing.pair(files["images"], files["masks"], group_pattern), said)
        return
    with TemporaryDirectory() as place:
        pairs, numbers = drawn.draw(files["images"], files["masks"], Path(place))
        paired = pairing.together(pairs, group_pattern)
        labels = ", ".join(f"{label} ({number})" for label, number in numbers.items())
        yield Found(
            paired,
            [*said, f"masks drawn from {len(files['masks'])} files; labels: {labels}"],
            drawn.rule_of(numbers),
        )


def files_of_pattern(pattern: str) -> tuple[list[Path], list[Path]]:
    """Files, and folders that are one image, that match a pattern, or lie below a folder; and the litter left out."""
    if Path(pattern).is_dir() and not is_image_folder(Path(pattern)):
        pattern = f"{glob.escape(pattern)}/**"
    matches = [Path(path) for path in sorted(glob.glob(pattern, recursive=True, include_hidden=True))]  # noqa: PTH207 - may be absolute
    whole = {path for path in matches if is_image_folder(path)}
    wanted = [path for path in matches if (path.is_file() or path in whole) and not whole & set(path.parents)]
    litter = [path for path in wanted if is_litter(path)]
    return [path for path in wanted if path not in set(litter)], litter


def check_pages(paired: PairedFiles) -> None:
    """Refuse files whose names are those that pages of other files get as samples.

    Raises:
        UserError: naming the first two.
    """
    files = {manifest.folded(sample.sample): (sample.sample, each[0]) for sample, each in paired}
    for name, (_, file) in files.items():
        stem, _, number = name.rpartition("_")
        if stem not in files or not re.fullmatch(r"[0-9]{4,}", number) or number != f"{int(number):04d}":
            continue
        sample, stack = files[stem]
        shape = readers.read_image(stack).shape
        if len(shape) == 4 and int(number) < shape[1]:
            raise UserError(
                f"{stack}: its page {int(number) + 1} would be the sample {sample}_{number}, and {file} has that "
                "name; rename one of the two"
            )


def part_pages(folder: Path) -> None:
    """Make a sample of each page of a folder's TIFF stacks, images and masks alike; rewrites its manifest.

    Raises:
        UserError: if an image and its mask don't have the same pages.
        FileExistsError: if a page's place is taken, which `check_pages` finds out beforehand.
    """
    parted = []
    for sample in manifest.read(folder):
        stacks = [readers.read_image(folder / sample.image), readers.read_mask(folder / sample.mask)[None]]
        if any(stack.ndim != 4 for stack in stacks) or stacks[0].shape[1] != stacks[1].shape[1]:
            counts = " and ".join(str(stack.shape[1]) if stack.ndim == 4 else "1" for stack in stacks)
            raise UserError(
                f"{folder / sample.image}: image and mask have {counts} pages, which are no pairs of samples"
            )
        for page in range(stacks[0].shape[1]):
            name = f"{sample.sample}_{page:04d}"
            places = [f"{role}/{name}.tif" for role in ("images", "masks")]
            for place, stack in zip(places, stacks, strict=True):
                plane = stack[:, page]
                written: dict[str, Any] = {}
                if len(plane) == 3:
                    written = {"photometric": "rgb", "planarconfig": "separate"}
                elif len(plane) > 1:  # which tifffile would take for slices, or for colours with alpha
                    unique = uuid5(NAMESPACE_OID, sha256(plane.tobytes()).hexdigest())  # else the time makes it
                    written = {"photometric": "minisblack", "ome": True}
                    written["metadata"] = {"axes": "CYX", "UUID": f"urn:uuid:{unique}"}
                with (folder / place).open("xb") as file:  # never into a file that is there: it may be a link
                    tifffile.imwrite(file, plane if len(plane) > 1 else plane[0], **written)
            parted.append(
                replace(sample, sample=name, image=places[0], mask=places[1], group=sample.group or sample.sample)
            )
        for place in (sample.image, sample.mask):
            (folder / place).unlink()
    manifest.write(folder, parted)


def question(found: Proposal) -> str:
    """Several readings, in one line."""
    ways = " or ".join(f"--mask {quoted(reading.rule)} ({reading.why})" for reading in found.open)
    return f"the masks can be read in {len(found.open)} ways, and nothing says which: {ways}; say one"


def quoted(rule: dict[str, Any]) -> str:
    """A rule as it is given to `--mask`, in quotes."""
    return f"'{json.dumps(rule, ensure_ascii=False)}'"


def contact_sheets(folder: Path, samples: list[manifest.Sample], found: Proposal) -> list[Image.Image]:
    """A sheet of evenly spaced samples for each reading of their masks."""
    rules = [reading.rule for reading in found.open] or [found.entry["mask"]]
    return [_contact_sheet(folder, samples, found.with_rule(rule)) for rule in rules]


def stored_masks(folder: Path, samples: list[manifest.Sample]) -> Image.Image:
    """A sheet of evenly spaced masks as other programs show them, each beside its alpha channel if it has one."""
    shown = []
    for sample in _some(samples):
        for stored in readers.decode_stored(folder / manifest.parts(sample.mask)[0]):
            values = np.moveaxis(stored[:3] if len(stored) >= 3 else stored[[0, 0, 0]], 0, -1)
            thumbnail = Image.fromarray((values / max(1, values.max()) * 255).astype(np.uint8))
            thumbnail.thumbnail((SIDE, SIDE))
            shown.append(thumbnail)
    return _sheet(shown)


def save(sheets: list[Image.Image], folder: Path, name: str) -> list[Path]:
    """Write contact sheets as PNG files; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    endings = [""] if len(sheets) == 1 else [f"-{number}" for number in range(1, len(sheets) + 1)]
    paths = [folder / f"{name}-contact-sheet{ending}.png" for ending in endings]
    for path, sheet in zip(paths, sheets, strict=True):
        sheet.save(path)
    return paths


def _contact_sheet(place: Path, samples: list[manifest.Sample], entry: Dataset) -> Image.Image:
    from multiresunet.report.dataset_page import picture

    return _sheet([thumbnail for s in _some(samples) if (thumbnail := picture(place, s, entry, SIDE))])


def _some(samples: list[manifest.Sample]) -> list[manifest.Sample]:
    return samples[:: max(1, len(samples) // SHEET)][:SHEET]


def _sheet(shown: list[Image.Image]) -> Image.Image:
    columns, pitch = min(4, len(shown)) or 1, SIDE + 10
    sheet = Image.new("RGB", (columns * pitch + 10, -(-len(shown) // columns) * pitch + 10), "white")
    for index, thumbnail in enumerate(shown):
        sheet.paste(thumbnail, (10 + index % columns * pitch, 10 + index // columns * pitch))
    return sheet

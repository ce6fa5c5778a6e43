"""`multiresunet data add | check`: use your own data, and see whether it is in order."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiresunet.cli.project import in_project
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_text
from multiresunet.paths import DATASET_PAGES, INCOMING, PARAMS

if TYPE_CHECKING:
    from PIL.Image import Image

    from multiresunet.config import Dataset
    from multiresunet.data.manifest import Sample

SHEET = 12  # samples on a contact sheet
SIDE = 240  # pixels of each

app = typer.Typer(no_args_is_help=True, help="Use your own data, and see whether it is in order.")


@app.command()
@in_project
def add(
    name: Annotated[str, typer.Argument(help="letters, digits, underscores")],
    images: Annotated[str, typer.Option(help="pattern of image files, in quotes: 'scans/*.tif'; ** for folders")],
    masks: Annotated[str, typer.Option(help="pattern of mask files, in quotes")],
    group_pattern: Annotated[
        str | None, typer.Option(help="regular expression that finds patient or video in a name")
    ] = None,
    modality: Annotated[str, typer.Option(help="what the images are, for the report")] = "own data",
    write: Annotated[bool, typer.Option("--write", help="write the entry to params.yaml")] = False,
) -> None:
    """Look at files, link them into data/incoming/NAME, propose the entry for params.yaml, show a contact sheet.

    If anything fails, nothing is left behind.
    """
    from multiresunet import config
    from multiresunet.config import Dataset, editing
    from multiresunet.data import pairing, preview, proposal
    from multiresunet.data.sources import folder

    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise UserError(f"{name!r} can't name a data set; use letters, digits and underscores")
    if name in config.load(PARAMS).datasets:
        raise UserError(f"params.yaml has a data set {name!r} already; choose another name, or take that entry out")
    if group_pattern is not None:
        try:
            re.compile(group_pattern)
        except re.error as error:
            raise UserError(f"--group-pattern {group_pattern!r} is no regular expression ({error}); fix it") from None
    paired = pairing.pair(_files(images), _files(masks), group_pattern)
    target, sheet = INCOMING / name, DATASET_PAGES / f"{name}-contact-sheet.png"
    with replacing(target) as draft, pairing.originals_named(paired, draft):
        pairing.link(paired, draft)
        samples = folder.scan(draft)
        found = proposal.propose(draft, samples, modality, name, folder.digest(samples))
        entry = Dataset.model_validate(found.entry)
        lost = preview.losses(draft, samples, entry, config.load(PARAMS).recipe)
        drawn = _contact_sheet(draft, samples, entry)
        if write:  # last, so that there is no entry without its folder
            text = editing.add_dataset(PARAMS.read_bytes().decode(), name, found.entry)
            config.parse_text(text)
            write_text(PARAMS, text)
    sheet.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(sheet)
    print(f"{name}: {len(samples)} samples, in {target}")
    print("\n".join(f"  {reason}" for reason in (*found.reasons, *lost)))
    print(f"Look at {sheet}: the blue line is the edge of what the mask marks.\n")
    print("\n".join(editing.entry_lines(name, found.entry)))
    if write:
        print(f"\nWritten to {PARAMS}. `multiresunet data check {name}` checks the data with it.")
    else:
        print("\nNothing is written to params.yaml yet; add --write if this is right.")


@app.command()
@in_project
def check(name: Annotated[str, typer.Argument(help="a data set of params.yaml")]) -> None:
    """Fetch and validate one data set; its page names what is wrong, and on which samples."""
    from multiresunet import config
    from multiresunet.data import fetching

    params = config.load(PARAMS)
    fetching.fetch(name, params)

    from multiresunet.data import checking  # takes seconds, so not before the files are there
    from multiresunet.report import dataset_page

    dataset = params.dataset(name)
    outcome = checking.validate(name, dataset)
    print(f"{name}: {dataset_page.render(name, dataset)} shows what was found")
    outcome.conclude()


def _files(pattern: str) -> list[Path]:
    found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - may be absolute
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _contact_sheet(place: Path, samples: list[Sample], entry: Dataset) -> Image:
    from PIL import Image

    from multiresunet.report.dataset_page import picture

    step = max(1, len(samples) // SHEET)
    shown = [thumbnail for s in samples[::step][:SHEET] if (thumbnail := picture(place, s, entry, SIDE))]
    columns, pitch = min(4, len(shown)) or 1, SIDE + 10
    sheet = Image.new("RGB", (columns * pitch + 10, -(-len(shown) // columns) * pitch + 10), "white")
    for index, thumbnail in enumerate(shown):
        sheet.paste(thumbnail, (10 + index % columns * pitch, 10 + index // columns * pitch))
    return sheet

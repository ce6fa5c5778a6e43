"""`multiresunet data add | check`: bring your own data, and see whether it is in order."""

from __future__ import annotations

import glob
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from multiresunet import config
from multiresunet.cli import diff, verify
from multiresunet.config import Dataset, editing
from multiresunet.data import propose
from multiresunet.data.manifest import Sample
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_text
from multiresunet.paths import DATASET_PAGES, INCOMING, PARAMS
from multiresunet.report.dataset_page import picture

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
dataset = typer.Typer(no_args_is_help=True, help="Bring your own data, and see whether it is in order.")
app.add_typer(dataset, name="data")
app.command()(diff.diff)
app.command()(verify.verify)


@app.callback()
def _root() -> None:
    """MultiResUNet, measured."""


@dataset.command()
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
    """Look at files, link them into data/incoming/NAME, propose the entry for params.yaml, show a contact sheet."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise UserError(f"{name!r} can't name a data set; use letters, digits and underscores")
    if name in config.load(PARAMS).datasets:
        raise UserError(f"params.yaml has a data set {name!r} already; choose another name, or take that entry out")
    if group_pattern is not None:
        try:
            re.compile(group_pattern)
        except re.error as error:
            raise UserError(f"--group-pattern {group_pattern!r} is no regular expression ({error}); fix it") from None
    paired = propose.pair(_files(images), _files(masks), group_pattern)
    target = INCOMING / name
    with replacing(target) as draft:
        propose.bring(paired, draft)
    samples = folder.scan(target)
    found = propose.propose(target, samples, modality, name, folder.digest(samples))
    entry = Dataset.model_validate(found.entry)
    sheet = _sheet(name, target, samples, entry)
    print(f"{name}: {len(samples)} samples, in {target}")
    print("\n".join(f"  {reason}" for reason in found.reasons))
    print(f"Look at {sheet}: the blue line is the edge of what the mask marks.\n")
    print("\n".join(editing.entry_lines(name, found.entry)))
    if write:
        text = editing.add_dataset(PARAMS.read_bytes().decode(), name, found.entry)
        config.parse_text(text)
        write_text(PARAMS, text)
        print(f"\nWritten to {PARAMS}. `multiresunet data check {name}` checks the data with it.")
    else:
        print("\nNothing is written to params.yaml yet; add --write if this is right.")


@dataset.command()
def check(name: str) -> None:
    """Fetch and validate one data set; its page names what is wrong, and on which samples."""
    config.load(PARAMS).dataset(name)
    for stage in ("fetch", "validate"):
        if subprocess.run([sys.executable, "-m", f"stages.{stage}", name]).returncode:
            raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error that a user can fix is one line and status 1."""
    try:
        app()
    except UserError as error:
        sys.exit(f"error: {error}")


def _files(pattern: str) -> list[Path]:
    found = [Path(path) for path in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - may be absolute
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _sheet(name: str, place: Path, samples: list[Sample], entry: Dataset, most: int = 12) -> Path:
    step = max(1, len(samples) // most)
    shown = [thumbnail for s in samples[::step][:most] if (thumbnail := picture(place, s, entry, 240))]
    columns = min(4, len(shown)) or 1
    sheet = Image.new("RGB", (columns * 250 + 10, -(-len(shown) // columns) * 250 + 10), "white")
    for index, thumbnail in enumerate(shown):
        sheet.paste(thumbnail, (10 + index % columns * 250, 10 + index // columns * 250))
    path = DATASET_PAGES / f"{name}-contact-sheet.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path

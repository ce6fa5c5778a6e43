"""`multiresunet data add | check`: use your own data, and see whether it is in order."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from multiresunet.cli.project import in_project
from multiresunet.errors import UserError
from multiresunet.files import replacing, some_of, write_text
from multiresunet.paths import DATASET_PAGES, INCOMING, PARAMS, RAW

app = typer.Typer(no_args_is_help=True, help="Use your own images, and check them.")


@app.command()
@in_project
def add(
    name: Annotated[str, typer.Argument(help="letters, digits, underscores")],
    images: Annotated[
        str | None, typer.Option(help="a folder of image files, or a pattern in quotes: 'scans/*.tif'; ** for folders")
    ] = None,
    masks: Annotated[str | None, typer.Option(help="the same for masks")] = None,
    annotations: Annotated[
        str | None, typer.Option(help="pattern of LabelMe, COCO or ImageJ files to draw masks from, instead of --masks")
    ] = None,
    nnunet: Annotated[Path | None, typer.Option(help="an nnU-Net data set's folder, or a Decathlon task's")] = None,
    pairs: Annotated[Path | None, typer.Option(help="CSV file with the columns image and mask (sample, group)")] = None,
    group_pattern: Annotated[
        str | None, typer.Option(help="regular expression that finds patient or video in a name")
    ] = None,
    modality: Annotated[str, typer.Option(help="what the images are, for the report")] = "own data",
    mask: Annotated[
        str | None, typer.Option(help="the masks' rule, as in params.yaml: '{values: [0, 1], foreground: [1]}'")
    ] = None,
    alpha: Annotated[str | None, typer.Option(help="masks' alpha channel: mask (it is the mask) or drop")] = None,
    colours: Annotated[str | None, typer.Option(help="label of each colour: '#000000=0 #ff0000=1'")] = None,
    pages: Annotated[str | None, typer.Option(help="what a TIFF's pages are: channels, z or samples")] = None,
    write: Annotated[bool, typer.Option("--write", help="write the entry to params.yaml")] = False,
) -> None:
    """Look at files, link them into data/incoming/NAME, propose the entry for params.yaml, show a contact sheet.

    If anything fails, nothing is left behind. A folder that was made by hand is never replaced.
    """
    from multiresunet import config
    from multiresunet.config import editing
    from multiresunet.data import adding, incoming, pairing, preview, proposal
    from multiresunet.data.nnunet import DATASET
    from multiresunet.data.readers.common import UndecidedError
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
    answers = adding.answers(mask, alpha, colours, pages, grouped=group_pattern is not None or pairs is not None)
    target = INCOMING / name
    incoming.check_replaceable(target)
    with adding.found(adding.Given(images, masks, annotations, nnunet, pairs), group_pattern) as files:
        answers = answers.filled(files.rule)
        if pages == "samples":
            adding.check_pages(files.paired)
        with replacing(target) as draft, pairing.originals_named(files.paired, draft):
            pairing.link(files.paired, draft)
            if pages == "samples":
                adding.part_pages(draft)
            if nnunet is not None:
                shutil.copyfile(nnunet / DATASET, draft / DATASET)
            incoming.record(draft)
            samples = folder.scan(draft)
            source = {"kind": "folder", "path": name, "digest": folder.digest(samples)}
            try:
                found = proposal.propose(draft, samples, source, modality, answers)
            except UndecidedError as error:
                (path,) = adding.save([adding.stored_masks(draft, samples)], DATASET_PAGES, name)
                raise UserError(f"{error}; {path} shows the masks as they are") from None
            drawn = adding.contact_sheets(draft, samples, found)
            lost = [] if found.open else preview.losses(draft, samples, found.dataset, config.load(PARAMS).recipe)
            if write:  # last, so that there is no entry without its folder
                if found.open:
                    seen = some_of(list(map(str, adding.save(drawn, DATASET_PAGES, name))))
                    raise UserError(f"{name}: {adding.question(found)}; {seen} show each, in this order")
                text = editing.add_dataset(config.text_of(), name, found.entry)
                config.parse_text(text)
                write_text(PARAMS, text)
    shown = adding.save(drawn, DATASET_PAGES, name)
    print(f"{name}: {len(samples)} samples, in {target}")
    print("\n".join(f"  {line}" for line in (*pairing.examples(files.paired), *files.said, *found.reasons, *lost)))
    if found.open:
        print(f"\nThe masks can be read in {len(found.open)} ways. Look at the pictures and say which is right:")
        for reading, path in zip(found.open, shown, strict=True):
            print(f"  {path}: {reading.why}\n    --mask {adding.quoted(reading.rule)}")
        return
    print(f"Look at {shown[0]}: what the mask marks is tinted, and its edge is a blue line.\n")
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


@app.command()
@in_project
def export(
    name: Annotated[str, typer.Argument(help="a data set of params.yaml")],
    out: Annotated[Path, typer.Option(help="the new folder, such as nnUNet_raw/Dataset101_Cells")],
    to: Annotated[str, typer.Option(help="the form: nnunet")] = "nnunet",
) -> None:
    """Fetch one data set and write it as a folder of nnU-Net's."""
    from multiresunet import config
    from multiresunet.data import fetching, nnunet
    from multiresunet.data.sources import folder

    if to != "nnunet":
        raise UserError(f"--to {to}: isn't known; there is nnunet")
    params = config.load(PARAMS)
    dataset = params.dataset(name)
    if out.exists():
        raise UserError(f"{out}: is there already; name a new folder")
    fetching.fetch(name, params)
    source = dataset.source
    original = folder.locate(source.path) / nnunet.DATASET if source.kind == "folder" else None
    print("\n".join(nnunet.write(name, dataset, RAW / name, out, original)))

"""`multiresunet predict`: masks of new images, by a trained model."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from multiresunet.errors import UserError
from multiresunet.files import some_of
from multiresunet.registries import INSTANCES, OUTPUTS


class How(StrEnum):
    """How the network sees an image."""

    trained = "trained"
    tiles = "tiles"


class Flips(StrEnum):
    """Test-time augmentation."""

    none = "none"
    flip = "flip"


# What `serve` takes, too.
ModelName = Annotated[
    str, typer.Argument(help="trained folder, .safetensors file, bundle, or name@version", metavar="MODEL")
]
Folds = Annotated[str, typer.Option(help="all (the mean over the folds), the number of one (0, 1, …), or final")]
Tta = Annotated[Flips, typer.Option(help="flip: average over the image flipped along each axis, too")]
HowOption = Annotated[How, typer.Option(help="trained: at the size of training; tiles: in windows, for large images")]
Memory = Annotated[str, typer.Option(help="memory for tiles, as 2G or 500M")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, or one of several as cuda:1")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="threads on the CPU", show_default="as many as there are cores")
]


def predict(
    model: ModelName,
    inputs: Annotated[
        list[str], typer.Argument(help="files, folders, or patterns in quotes: 'scans/**/*.tif'", metavar="INPUT…")
    ],
    out: Annotated[Path, typer.Option(help="folder for what is predicted")],
    folds: Folds = "all",
    tta: Tta = Flips.none,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="the probability from which a pixel is foreground", show_default="the model's"),
    ] = None,
    save: Annotated[str, typer.Option(help=f"what to save, with commas between: {','.join(OUTPUTS)}")] = "mask",
    format: Annotated[str, typer.Option(help="same (as the input), png, tif or nii.gz")] = "same",
    how: HowOption = How.trained,
    instances: Annotated[
        str, typer.Option(help=f"how labels tell touching objects apart: {' or '.join(INSTANCES)}")
    ] = "components",
    memory: Memory = "2G",
    device: Device = "auto",
    threads: Threads = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="predict again what is there")] = False,
) -> None:
    """Predict masks of images.

    Each mask has the format and geometry of its image. Writes NAME_mask.… for each image, predictions.csv and
    provenance.json into the folder OUT. What is finished is skipped, so a run that was stopped goes on. A file that
    can't be predicted is one line; the rest go on: status 1.
    """
    from multiresunet.inference import writing
    from multiresunet.inference.inputs import found

    if out.is_file():
        raise UserError(f"{out}: is a file; name a folder with --out")
    for name in (saved := tuple(dict.fromkeys(filter(None, save.split(","))))):
        if name not in OUTPUTS:
            raise UserError(f"--save: {OUTPUTS.unknown(name)}")
    if not saved:
        raise UserError(f"--save {save!r} names no output; there is {', '.join(OUTPUTS)}")
    if instances not in INSTANCES:
        raise UserError(f"--instances: {INSTANCES.unknown(instances)}")
    if format not in writing.FORMATS:
        raise UserError(f"--format {format!r} isn't known; there is {', '.join(writing.FORMATS)}")
    room = bytes_of(memory)
    left: list[str] = []
    files = found(inputs, out, lambda path: left.append(str(path)))
    folders = [name for name in left if Path(name).is_dir()]
    others = [name for name in left if name not in folders]
    if others:
        many = "s" if len(others) > 1 else ""
        print(f"{len(others)} file{many} left out, of no format that is read: {some_of(others)}")
    if folders:
        print(
            f"{len(folders)} folder{'s' if len(folders) > 1 else ''} left out: {some_of(folders)}; name a folder "
            "without a pattern (links in a circle aren't followed)"
        )

    # Here, since PyTorch takes seconds, and a word that is wrong should be said at once.
    from multiresunet.inference.batch import Request, run
    from multiresunet.inference.loading import load_model
    from multiresunet.inference.model import Options
    from multiresunet.review.artifacts import commit_of

    loaded = load_model(model, folds, chosen(device, threads))
    options = Options(how.value, tta is Flips.flip, threshold, room)
    request = Request(out, saved, format, instances, overwrite, options, commit_of(loaded.folder))
    with shown(len(files)) as on_file:
        outcome = run(loaded, files, request, on_file)
    there = f", {outcome.skipped} were there" if outcome.skipped else ""
    print(f"{outcome.done} of {len(files)} images predicted into {out}{there}")
    if outcome.others:
        print(
            f"made with other settings, so not in predictions.csv: {some_of(outcome.others)}; predict their images "
            "again, or take them out"
        )
    if outcome.failed:
        sys.exit(1)


def bytes_of(text: str, option: str = "--memory") -> int:
    """`2G`, `500M` or `0.5GiB` as bytes.

    Raises:
        UserError: if it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT])(i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise UserError(f"{option} {text!r} is no size; write it as 2G or 500M")
    return int(float(match[1]) * 2.0 ** {"M": 20, "G": 30, "T": 40}[match[2].upper()])


def chosen(device: str, threads: int | None) -> str | None:
    """The device to compute on, with as many threads as wanted."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    return None if device == "auto" else device


class shown:  # noqa: N801 - a context manager
    """A progress bar with files, rate and time left; and a line for each file that fails."""

    def __init__(self, count: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.speed:.2f} files/s" if task.speed else "")

        columns = (MofNCompleteColumn(), BarColumn(), Rate(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=count)

    def __enter__(self) -> Any:
        if self._progress.console.is_terminal:
            self._progress.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._progress.console.is_terminal:
            self._progress.stop()

    def _tell(self, _input: object, error: str | None) -> None:
        self._progress.advance(self._task)
        if error:
            self._progress.console.print(f"error: {error}", soft_wrap=True, markup=False, highlight=False)

"""What all stages share: their command line, how an error reaches the user, and which code a result depends on."""

from __future__ import annotations

import atexit
import gc
import hashlib
import shutil
import sys
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any

import typer
import yaml

from multiresunet import arithmetic, config
from multiresunet.errors import StoppedError, UserError, of_the_system, print_any_sign

ROOT = Path(__file__).parents[1]
PIPELINE = ROOT / "dvc.yaml"


def run(stage: Callable[..., None]) -> None:
    """Call a stage with the command line's words; an error that a user can fix is one line and status 1.

    Args:
        stage: a function whose parameters are the command's arguments and options; its docstring is the help.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @wraps(stage)
    def checked(*words: object, **named: object) -> None:
        if note := arithmetic.note():
            print(note, flush=True)
        arithmetic.check("portable", ["numpy"])
        stage(*words, **named)

    app.command()(checked)
    print_any_sign()
    atexit.register(gc.freeze)  # or else Python looks through all libraries once more when it ends
    try:
        app(prog_name=f"python -m stages.{Path(sys.argv[0]).stem}")
    except StoppedError as stop:
        print(f"stopped: {stop}", file=sys.stderr)
        sys.exit(stop.status)
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if line := of_the_system(error):
            sys.exit(f"error: {line}")
        raise


def parameters_for(dataset: str, model: str | None = None) -> config.Params:
    """params.yaml, once the command line's names are found in it.

    Raises:
        UserError: if params.yaml is wrong, or has no such data set or model.
    """
    loaded = config.load()
    loaded.dataset(dataset)
    if model is not None:
        loaded.model(model)
    return loaded


def needs(path: Path, stage: str) -> None:
    """Check that an input is there.

    Args:
        path: a file or folder that an earlier stage writes.
        stage: that stage, as `dvc repro` names it.

    Raises:
        UserError: if it is missing; names the stage to run.
    """
    if not path.exists():
        raise UserError(f"{path} is missing; run `dvc repro {stage}` first")


def name_of(stage: str, loaded: config.Params, dataset: str, model: str, seed: int) -> str:
    """A stage of a model, as `dvc repro` names it: `train@nuclei-unet-1`, or `train_tuned@nuclei-unet-1`."""
    untuned = loaded.untuned(model)
    return f"{stage}_tuned@{dataset}-{untuned}-{seed}" if untuned else f"{stage}@{dataset}-{model}-{seed}"


def code_digest(stage: str) -> str:
    """SHA-256 over the code and settings files that dvc.yaml declares for a stage, data left out.

    DVC, the state of training and the state of tuning thus go by one list: when it changes, all start anew.
    """
    total = hashlib.sha256()
    for path in _files(_declared(stage)):
        total.update(f"{path.relative_to(ROOT).as_posix()}:".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _declared(stage: str) -> list[Path]:
    tree: dict[str, Any] = yaml.safe_load(PIPELINE.read_text(encoding="utf-8"))
    return [ROOT / dep for dep in tree["stages"][stage]["deps"] if not dep.startswith("data/")]


def _files(declared: Collection[Path]) -> list[Path]:
    return sorted(
        file
        for dep in declared
        for file in ([dep] if dep.is_file() else dep.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    )


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Remove what an earlier run with other data sets or models has left in `folder`; DVC's cache has it.

    DVC hashes the whole folder as an input, and a fresh clone wouldn't have the leftovers.
    """
    for entry in folder.iterdir():
        if entry.name in names:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()

"""Write a package: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.inference.model import Model
from multiresunet.registries import PACKAGES


def file_of(model: Model, to: str) -> Path:
    """The name of a model's package, unless it is given one."""
    suffix: str = PACKAGES.entries[to].facts["suffix"]
    return Path(f"{model.description.data.name}-{model.description.model}{suffix}")


def export(model: Model, to: str, path: Path) -> str:
    """Write a model in a format of `PACKAGES`; say, in words, what was checked.

    Args:
        model: on the CPU.
        to: the format.
        path: of the file; one that is there is replaced once the new one is whole.

    Raises:
        UserError: if there is no such format, or the file wouldn't be what it is to be.
    """
    write = PACKAGES[to]
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.draft{path.suffix}")
    try:
        said: str = write(model, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return said

"""fetch DATASET: write a data set to data/raw/. `--check`: see whether any folder in use has changed."""

from __future__ import annotations

from typing import Annotated

import typer

from multiresunet import config
from multiresunet.config import FolderSource
from multiresunet.data import fetching, sources
from multiresunet.data.sources import folder, layouts
from multiresunet.errors import UserError
from multiresunet.paths import STATE
from stages.running import run


def fetch(name: str) -> None:
    """Write data/raw/<name>: images/, masks/, manifest.csv and source.json."""
    fetching.fetch(name, config.load())


def check() -> None:
    """Compare every folder that this run reads with its pinned digest; DVC looks at params.yaml only."""
    loaded = config.load()
    for name in loaded.run.datasets:
        source = loaded.datasets[name].source
        # A folder that isn't at hand can't have changed: DVC's cache has it, or fetch will say so.
        if isinstance(source, FolderSource) and folder.is_at_hand(source.path):
            sources.checked(source, STATE)


def print_digest(path: str, layout: str | None = None) -> None:
    """Print the digest of a folder, to be pinned in params.yaml."""
    if layout not in (None, *layouts.FOLDERS):
        raise UserError(f"layout {layout!r} isn't known; there is {', '.join(layouts.FOLDERS)}")
    print(folder.digest(folder.scan(folder.locate(path), layout)))


def main(
    dataset: Annotated[str | None, typer.Argument(help="a data set of params.yaml")] = None,
    check_folders: Annotated[bool, typer.Option("--check", help="see whether any folder in use has changed")] = False,
    digest: Annotated[str | None, typer.Option(help="print the digest of a folder, to be pinned")] = None,
    layout: Annotated[str | None, typer.Option(help="of that folder")] = None,
) -> None:
    """Fetch a data set into data/raw/: images/, masks/, manifest.csv and source.json."""
    match dataset, check_folders, digest:
        case None, True, None:
            check()
        case None, False, str():
            print_digest(digest, layout)
        case str(), False, None:
            fetch(dataset)
        case _:
            raise UserError("usage: python -m stages.fetch DATASET | --check | --digest FOLDER [--layout LAYOUT]")


if __name__ == "__main__":
    run(main)

"""fetch DATASET: bring a data set to data/raw/. `--check`: see whether any folder in use has changed."""

from __future__ import annotations

from typing import Annotated

import typer

from multiresunet import config
from multiresunet.config import FolderSource
from multiresunet.data import card, manifest, sources
from multiresunet.data.sources import folder, layouts
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_json
from multiresunet.paths import RAW, STATE
from stages.running import run


def fetch(name: str) -> None:
    """Write data/raw/<name>: images/, masks/, manifest.csv and source.json."""
    loaded = config.load()
    dataset = loaded.dataset(name)
    about = card.of(dataset.source)
    if about:
        print(about, flush=True)  # before what may take hours, or fail
    with replacing(RAW / name) as draft:
        samples = sources.bring(dataset, draft, STATE, loaded.fetch)
        manifest.write(draft, samples)
        record = {"modality": dataset.modality, **dataset.source.model_dump(exclude_none=True)}
        if about:
            record["card"] = about.model_dump(exclude_none=True)
        write_json(draft / "source.json", record)
    print(f"{name}: {len(samples)} samples from {dataset.source.kind}")


def check() -> None:
    """Hold every folder that this run reads against its pinned digest; DVC looks at params.yaml only."""
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

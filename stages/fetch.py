"""fetch DATASET: bring a data set to data/raw/. `--check`: see whether any folder in use has changed."""

from __future__ import annotations

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


def main(*words: str) -> None:
    """Dispatch the command line."""
    match words:
        case ["--check"]:
            check()
        case ["--digest", path, *layout] if len(layout) <= 1:
            print_digest(path, *layout)
        case [name] if not name.startswith("-"):
            fetch(name)
        case _:
            raise UserError(
                f"usage: python -m stages.fetch DATASET | --check | --digest FOLDER [LAYOUT] (got {' '.join(words)!r})"
            )


if __name__ == "__main__":
    run(main)

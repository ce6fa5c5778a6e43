"""fetch DATASET: write a data set to data/raw/. `--check`: see whether any folder in use has changed."""

from __future__ import annotations

from multiresunet import config
from multiresunet.config import FolderSource
from multiresunet.data import checking, sources
from multiresunet.data.sources import folder, layouts
from multiresunet.errors import UserError
from multiresunet.paths import STATE
from stages.running import run


def fetch(name: str) -> None:
    """Write data/raw/<name>: images/, masks/, manifest.csv and source.json."""
    checking.fetch(name, config.load())


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

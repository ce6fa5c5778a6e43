"""The flow that watches folders of data: it pins new content and makes the tables again."""

from __future__ import annotations

from prefect import flow, get_run_logger

from flows.pipeline import pipeline
from flows.worktree import alone, configure
from multiresunet import config
from multiresunet.config import FolderSource
from multiresunet.data.sources import folder
from multiresunet.paths import STATE

PENDING = STATE / "retrain"  # is there from a folder's change until a run has succeeded


@flow(name="retrain", persist_result=False)
def retrain() -> list[str]:
    """Pin what has changed in params.yaml, and run the pipeline if anything has, or if the run after it has failed.

    Edits of params.yaml or of code, which may be unfinished, start nothing.

    Returns:
        The names of the data sets whose folders have changed. The change of params.yaml and of the tables is left to
        be reviewed and committed.

    Raises:
        UserError: a stage failed; validation, say, since new images are damaged
    """
    log = get_run_logger()
    with alone(log):
        found = changed()
        for name, digest in found.items():
            log.info("%s has changed; its digest is now %s", name, digest)
        if found:
            PENDING.parent.mkdir(exist_ok=True)
            PENDING.touch()
            configure({f"datasets.{name}.source.digest": digest for name, digest in found.items()})
        elif not PENDING.exists():
            log.info("No folder has changed")
            return []
    pipeline()
    PENDING.unlink(missing_ok=True)
    return list(found)


def changed() -> dict[str, str]:
    """The data sets of this run whose folders aren't what params.yaml pins, with their digests."""
    loaded = config.load()
    found = {}
    for name in loaded.run.datasets:
        source = loaded.datasets[name].source
        if isinstance(source, FolderSource) and source.digest and folder.is_at_hand(source.path):
            digest = folder.digest(folder.scan(folder.locate(source.path), source.layout))
            if digest != source.digest:
                found[name] = digest
    return found

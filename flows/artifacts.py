"""What Prefect's UI shows of a run: summary, changes, findings, the report's address, and how far a stage is."""

from __future__ import annotations

import csv
import importlib
import json
import re
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from multiresunet.errors import UserError
from multiresunet.paths import PAGE, SUMMARY, VALIDATED

STEP = re.compile(r"fold (\d+)/(\d+)\b.*?\bepoch (\d+)/(\d+)")
SECONDS = 10.0  # between two updates of a stage's progress; each takes the flow and the server some processor time


def prepare() -> None:
    """Load beside the stages what `publish` needs, which takes half a second."""
    threading.Thread(target=importlib.import_module, args=("multiresunet.review.diff",), daemon=True).start()


def publish(base: str, keep: Path | None = None) -> None:
    """Show the tables and the findings of the current folder, and what changed in them since a commit.

    Args:
        base: the commit
        keep: where to put the report's page if the current folder won't last
    """
    if SUMMARY.exists():
        with SUMMARY.open(newline="", encoding="utf-8") as file:
            create_table_artifact(key="summary", table=list(csv.DictReader(file)), description=str(SUMMARY))
    if findings := _findings():
        create_table_artifact(key="validation", table=findings, description="Findings of validation")
    if PAGE.exists():
        page = PAGE.absolute()
        if keep:
            keep.parent.mkdir(parents=True, exist_ok=True)
            page = Path(shutil.copy(page, keep))
        # Browsers don't follow a link from a server to a file: its address, to be copied.
        create_link_artifact(key="report", link=page.as_uri(), link_text=str(page))
    from multiresunet.review.diff import Diff
    from multiresunet.review.git import Tree

    try:
        text = Diff.between(Tree(base), Tree(None)).markdown()
    except UserError as error:  # no commit yet, say
        text = f"Nothing to compare with: {error}"
    create_markdown_artifact(key="metric-diff", markdown=text, description=f"Changes since {base}")


def _findings() -> list[dict[str, str]]:
    rows = []
    for path in sorted(VALIDATED.glob("*/validation.json")):
        for finding in json.loads(path.read_text(encoding="utf-8")):
            samples = [str(sample) for sample in finding.get("samples", [])]
            rows.append(
                {
                    "data set": path.parent.name,
                    "looked for": str(finding.get("title") or finding.get("expectation")),
                    "found": "" if finding["success"] else str(finding.get("severity", "failed")),
                    "samples": " ".join(samples[:5]) + (f" and {len(samples) - 5} more" if len(samples) > 5 else ""),
                }
            )
    return rows


def percent(line: str) -> float | None:
    """How far a stage is, if a line of it says so: "… fold 2/5 … epoch 30/150 …"."""
    found = STEP.search(line)
    if not found:
        return None
    fold, folds, epoch, epochs = map(int, found.groups())
    return 100 * ((fold - 1) * epochs + epoch) / (folds * epochs)


class Progress:
    """A stage's progress, read from its lines.

    While the server doesn't answer, nothing is shown, and the stage goes on.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._artifact: UUID | None = None
        self._shown = 0.0

    def __call__(self, line: str) -> None:
        """Read a line."""
        share, now = percent(line), time.monotonic()
        if share is None or now - self._shown < SECONDS:
            return
        self._shown = now
        self._show(share)

    def end(self) -> None:
        """The stage has ended well; its last lines may have come too fast to be shown."""
        if self._artifact:
            self._show(100)

    def _show(self, share: float) -> None:
        # The stage waits for whoever reads its lines; with Prefect's retries, a minute for each.
        with suppress(httpx.HTTPError), temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            if self._artifact is None:
                key = "progress-" + re.sub(r"[^a-z0-9]+", "-", self._stage.lower()).strip("-")
                created = create_progress_artifact(share, key=key, description=self._stage)
                self._artifact = created if isinstance(created, UUID) else None
            else:
                update_progress_artifact(self._artifact, share)

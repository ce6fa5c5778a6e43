"""What Prefect's UI shows of a run: summary, changes, findings, the report's address, and how far a stage is."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from multiresunet.errors import UserError

SUMMARY = Path("metrics/summary.csv")
FACTS = Path("data/facts")
PAGE = Path("reports/index.html")
STEP = re.compile(r"fold (\d+)/(\d+)\b.*?\bepoch (\d+)/(\d+)")
SECONDS = 1.0  # between two updates of a stage's progress


def publish(base: str) -> None:
    """Show the tables and the findings of the current folder, and what changed in them since a commit."""
    if SUMMARY.exists():
        with SUMMARY.open(newline="", encoding="utf-8") as file:
            create_table_artifact(key="summary", table=list(csv.DictReader(file)), description=str(SUMMARY))
    if findings := _findings():
        create_table_artifact(key="validation", table=findings, description="Findings of the gate")
    if PAGE.exists():
        create_link_artifact(key="report", link=PAGE.absolute().as_uri(), link_text="The report")
    from multiresunet.history.diff import Diff  # a second, which a run that does nothing needn't wait for
    from multiresunet.history.git import Tree

    try:
        text = Diff.between(Tree(base), Tree(None)).markdown()
    except UserError as error:  # no commit yet, say
        text = f"Nothing to compare with: {error}"
    create_markdown_artifact(key="metric-diff", markdown=text, description=f"Changes since {base}")


def _findings() -> list[dict[str, str]]:
    rows = []
    for path in sorted(FACTS.glob("*/validation.json")):
        for finding in json.loads(path.read_text(encoding="utf-8")):
            samples = [str(sample) for sample in finding.get("samples", [])]
            rows.append(
                {
                    "data set": path.parent.name,
                    "expectation": str(finding.get("title") or finding.get("expectation")),
                    "result": "passed" if finding["success"] else str(finding.get("severity", "failed")),
                    "samples": " ".join(samples[:5]) + (f" and {len(samples) - 5} more" if len(samples) > 5 else ""),
                }
            )
    return rows


class Progress:
    """A stage's progress, read from its lines: "… fold 2/5 … epoch 30/150 …"."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._artifact: UUID | None = None
        self._shown = 0.0

    def __call__(self, line: str) -> None:
        """Take note of a line."""
        found = STEP.search(line)
        now = time.monotonic()
        if not found or now - self._shown < SECONDS:
            return
        self._shown = now
        fold, folds, epoch, epochs = map(int, found.groups())
        percent = 100 * ((fold - 1) * epochs + epoch) / (folds * epochs)
        if self._artifact is None:
            key = "progress-" + re.sub(r"[^a-z0-9]+", "-", self._stage.lower()).strip("-")
            created = create_progress_artifact(percent, key=key, description=self._stage)
            self._artifact = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(self._artifact, percent)

"""Whether the page shows what is there. Rendering takes seconds, and most runs change nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from multiresunet.files import write_text
from multiresunet.paths import (
    DATASET_PAGES,
    EVALUATED,
    LOCK,
    METRICS,
    PAGE,
    PARAMS,
    STATE,
    TRAINING_SECONDS,
    VALIDATED,
)
from multiresunet.report import provenance

RENDERED = STATE / "page"  # what `digest` was when the page was rendered
SHOWN = (METRICS, EVALUATED, VALIDATED, TRAINING_SECONDS, PAGE, DATASET_PAGES, Path(__file__).parent)
OWN_PART = re.compile(r"^  report:\n(?:    .*\n)+", re.MULTILINE)  # which DVC writes when the page is there


def is_current() -> bool:
    """Whether nothing that the page shows has changed since it was rendered."""
    return PAGE.exists() and RENDERED.exists() and RENDERED.read_text(encoding="utf-8") == digest()


def note() -> None:
    """Note that the page has just been rendered."""
    write_text(RENDERED, digest())


def digest() -> str:
    """SHA-256 over what the page shows: commit, versions, parameters, DVC's hashes, and files' sizes and times."""
    lock = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    shown = {
        "made": provenance.commit_and_versions(),
        "parameters": PARAMS.read_text(encoding="utf-8"),
        "lock": sorted(OWN_PART.sub("", lock).splitlines()),  # side by side, stages write it in any order
        "files": sorted(_files()),
    }
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def _files() -> Iterator[tuple[str, int, int]]:
    for place in SHOWN:
        for path in [place, *place.rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                found = path.stat()
                yield str(path), found.st_size, found.st_mtime_ns

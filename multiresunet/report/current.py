"""Whether the page shows what is there. Rendering takes seconds, and most runs change nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from multiresunet.files import write_text
from multiresunet.paths import (
    DATASET_PAGES,
    EVALUATED,
    INFERENCE_SECONDS,
    LOCK,
    METRICS,
    PAGE,
    PARAMS,
    PREPARED,
    RAW,
    STATE,
    TRAINING_SECONDS,
    VALIDATED,
)
from multiresunet.report import provenance

RENDERED = STATE / "page"  # digests: of what the page was rendered from, and of the pages
FILES = (METRICS, EVALUATED, VALIDATED, TRAINING_SECONDS, INFERENCE_SECONDS, Path(__file__).parents[1])
DATA = (RAW / "*/manifest.csv", PREPARED / "*/folds.csv")  # of which the pages of data sets tell
OWN_PART = re.compile(r"^  report:\n(?:    .*\n)+", re.MULTILINE)  # which DVC writes when the page is there


def is_current() -> bool:
    """Whether nothing that the page shows has changed since it was rendered."""
    return PAGE.exists() and RENDERED.exists() and RENDERED.read_text(encoding="utf-8") == inputs() + _pages()


def note(before: str) -> None:
    """Note that the page has been rendered from what `inputs` was `before` that."""
    write_text(RENDERED, before + _pages())


def inputs() -> str:
    """SHA-256 over what the page shows: commit, versions, parameters, DVC's hashes, and files' sizes and times."""
    lock = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    shown = {
        "made": provenance.commit_and_versions(),
        "parameters": PARAMS.read_text(encoding="utf-8"),
        "lock": sorted(OWN_PART.sub("", lock).splitlines()),  # side by side, stages write it in any order
        "files": [*_files(FILES), *_files(path for pattern in DATA for path in Path().glob(str(pattern)))],
    }
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def _pages() -> str:
    return hashlib.sha256(json.dumps(_files([PAGE, DATASET_PAGES])).encode()).hexdigest()


def _files(places: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Each file's name, size and time."""
    found = []
    for path in sorted(path for place in places for path in (place, *place.rglob("*"))):
        if path.is_file() and "__pycache__" not in path.parts:
            about = path.stat()
            found.append((str(path), about.st_size, about.st_mtime_ns))
    return found

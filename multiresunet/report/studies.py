"""The pictures that tuning left of its studies."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from multiresunet.config import Params
from multiresunet.paths import TUNED

PICTURES = {
    "history": "Each trial’s score, and the best so far.",
    "slices": "Scores by α and by the number of filters U.",
    "importance": "How much each value matters for the score.",
    "front": "Score against cost; ★: chosen.",
}
"""Of a study, as `stages.tune` draws them, with their captions."""


def of_run(loaded: Params) -> list[Path]:
    """A folder for each data set and tuned model of the run, where this clone has its pictures."""
    found = [TUNED / d / m for d in loaded.run.tuned.datasets for m in loaded.run.tuned.models]
    return [folder for folder in found if all((folder / f"{name}.png").is_file() for name in PICTURES)]


def embedded(folder: Path) -> list[tuple[str, str]]:
    """A study's pictures: caption and data URL."""
    return [
        (caption, f"data:image/png;base64,{b64encode((folder / f'{name}.png').read_bytes()).decode()}")
        for name, caption in PICTURES.items()
    ]

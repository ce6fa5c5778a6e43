"""`multiresunet data add` in a folder of its own, as tests call it."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from multiresunet import config
from multiresunet.cli import data
from multiresunet.data import fetching, manifest
from multiresunet.data.dataset import IGNORED
from multiresunet.data.loading import encode_labels, load_image, load_mask
from multiresunet.errors import UserError
from multiresunet.paths import PARAMS, RAW
from tests.data.making import Array

ROOT = Path(__file__).parents[2]
CASES = ROOT.parent / "shared" / "cases"


class Project:
    """A folder with params.yaml, in which a test is."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self.capsys = place, capsys

    def case(self, name: str) -> None:
        """Write the files of one of the cases, where they are at hand."""
        if not (CASES / f"{name}.py").is_file():
            pytest.skip("the cases aren't at hand")
        runpy.run_path(str(CASES / f"{name}.py"))

    def add(self, images: str | None = "in/images/*", masks: str | None = "in/masks/*", **options: object) -> str:
        """What `data add x` prints; with `write` unless said otherwise."""
        self.capsys.readouterr()
        data.add(name="x", images=images, masks=masks, **{"write": True, **options})  # type: ignore[arg-type]
        return self.capsys.readouterr().out

    def refusal(self, images: str | None = "in/images/*", masks: str | None = "in/masks/*", **options: object) -> str:
        """The one line with which `data add x` stops; nothing is left."""
        before = PARAMS.read_bytes()
        with pytest.raises(UserError) as caught:
            self.add(images, masks, **options)
        assert not (self.place / "data/incoming/x").exists()
        assert before == PARAMS.read_bytes()
        line = str(caught.value)
        assert len(line.splitlines()) == 1
        return line

    @property
    def entry(self) -> config.Dataset:
        """The entry that was written."""
        return config.load().datasets["x"]

    def arrays(self) -> dict[str, tuple[Array, Array]]:
        """Image and labels of each sample, as fetched and as the entry declares them; 0 where nobody knows."""
        fetching.fetch("x", config.load())
        self.capsys.readouterr()
        found, entry = {}, self.entry
        for sample in manifest.read(RAW / "x"):
            image = load_image(RAW / "x", sample.image, entry)
            mask = load_mask(RAW / "x", sample.mask, entry.mask, image)
            labels = encode_labels(mask.array, entry.mask)
            found[sample.sample] = image.array, np.where(labels == IGNORED, 0, labels)
        return found

    def foreground(self) -> float:
        """The share of all pixels that are foreground."""
        return float(np.mean([(labels > 0).mean() for _, labels in self.arrays().values()]))


def project(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """A new project in `place`, entered."""
    monkeypatch.chdir(place)
    monkeypatch.delenv("MULTIRESUNET_DATA", raising=False)
    shutil.copy(ROOT / "params.yaml", place)
    return Project(place, capsys)

"""`multiresunet export` and `card`: from a trained folder to a file, and to masks where there is nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_data import call
from tests.inference.packages.making import folder_of


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("LICENSE", "CITATION.cff"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    folder_of(tmp_path / "trained", folds=2)
    return tmp_path


def test_a_bundle_predicts_in_an_empty_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not call(monkeypatch, "export", "trained", "--to", "bundle")
    said = capsys.readouterr().out
    assert said.startswith("discs-multiresunet.bundle.zip: the bundle's networks within 1e-08 of PyTorch at 32×32")
    assert call(monkeypatch, "export", "trained", "--to", "bundle") == (
        "error: discs-multiresunet.bundle.zip: is there already; choose another name with --out, or --overwrite"
    )
    assert not call(monkeypatch, "export", "trained", "--to", "bundle", "--overwrite")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)).save("a.png")
    assert not call(monkeypatch, "predict", "trained", "a.png", "--out", "expected", "--save", "probability")
    empty = here / "empty"
    empty.mkdir()
    (empty / "m.zip").write_bytes((here / "discs-multiresunet.bundle.zip").read_bytes())
    monkeypatch.chdir(empty)
    assert not call(monkeypatch, "predict", "m.zip", "../a.png", "--out", "out", "--save", "probability")
    assert (empty / "out/a_probability.png").read_bytes() == (here / "expected/a_probability.png").read_bytes()
    assert sorted(one.name for one in empty.iterdir()) == ["m.zip", "out"]
    capsys.readouterr()
    assert not call(monkeypatch, "card", "m.zip")  # the one that it holds
    assert "# discs-multiresunet" in capsys.readouterr().out


@pytest.mark.slow
def test_what_predict_does_and_a_file_does_not_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds: dict[str, tuple[dict[str, Any], str]] = {
        "patches": ({"fit": "patches"}, "shows the networks windows of 32×32 that overlap by half"),
        "pad": ({"fit": "pad"}, "fills images up with zeros after normalising, evenly on all sides, to 32×32 at least"),
        "zscore": ({"normalisation": "zscore"}, "takes mean and deviation of the pixels as they are stored, and resiz"),
    }
    for name, (data, says) in kinds.items():
        folder_of(here / name, **data)
        for to in ("torchscript", "bundle"):  # the latter is for `predict`
            assert not call(monkeypatch, "export", name, "--to", to, "--out", f"{name}.{to}")
            said = capsys.readouterr().out
            assert (f"unless you do as that does: `predict` {says}" in said) == (to == "torchscript")
        assert not call(monkeypatch, "card", name)
        assert f"BioImage.IO) give other numbers than `predict` unless you do as it does: `predict` {says}" in (
            capsys.readouterr().out
        )
    assert not call(monkeypatch, "export", "trained", "--to", "torchscript")
    assert not call(monkeypatch, "card", "trained")
    assert "as it does" not in (said := capsys.readouterr().out) and "as that does" not in said


def test_one_fold_as_onnx_and_a_card_as_a_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not call(monkeypatch, "export", "trained", "--to", "onnx", "--folds", "1", "--out", "new/x.onnx")
    assert [one.name for one in (here / "new").iterdir()] == ["x.onnx"]
    assert not call(monkeypatch, "card", "trained", "--out", "card.md")
    assert (here / "card.md").read_text(encoding="utf-8").startswith("---\nlicense: mit\n")
    (here / "docs").mkdir()
    assert call(monkeypatch, "card", "trained", "--out", "docs") == "error: docs: is a folder; name a file"
    assert not (here / ".docs.draft").exists()


def test_a_wrong_word_is_one_line_and_at_once(here: Path) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "multiresunet", "export", "trained", "--to", "onx"]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True)
    assert done.returncode == 1 and not re.search(r"\| +torch\n", done.stderr)
    assert "error: --to: format to export to 'onx' is unknown (did you mean onnx?)" in done.stderr

"""A plan on a lent machine: the same tables as the stages make one after the other, in pieces of time."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.small import ROOT

PLAN = """
blocks:
  - {recipe: quick, by: image, datasets: [nuclei], models: [unet, multiresunet]}
"""


def command(folder: Path, module: str, *words: str, code: int = 0) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def study(folder: Path) -> Path:
    tree = yaml.safe_load((ROOT / "params.yaml").read_text())
    tree["run"] = {"datasets": ["nuclei"], "models": ["unet", "multiresunet"], "recipe": "quick"}
    tree["datasets"]["nuclei"]["source"]["samples"] = 12
    tree["recipes"]["quick"] |= {"epochs": 3, "filters": 4, "longest_side": 32}
    tree["recipes"]["quick"]["folds"]["by"] = "image"
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    for shared in ("catalog", "expectations"):
        (folder / shared).symlink_to(ROOT / shared)
    return folder


@pytest.mark.slow
def test_a_plan_in_pieces_gives_the_tables_of_the_stages(tmp_path: Path) -> None:
    plain, lent = study(tmp_path / "plain"), study(tmp_path / "lent")
    for stage in ("fetch", "validate", "preprocess"):
        command(plain, f"stages.{stage}", "nuclei")
    for stage in ("tune", "train", "score"):
        for model in ("unet", "multiresunet"):
            command(plain, f"stages.{stage}", "nuclei", model)
    command(plain, "stages.evaluate", "nuclei")
    command(plain, "stages.report")

    (lent / "results/mine").mkdir(parents=True)
    (lent / "results/mine/plan.yaml").write_text(PLAN)
    command(lent, "flows.lent", "pack", "results/mine/plan.yaml")
    # No time: nothing is done, and nothing is broken.
    said = command(lent, "flows.lent", "run", "results/mine/plan.yaml", "--minutes", "0", "--out", "out")
    assert "left: 2" in said
    assert not (lent / "out/done.tar.xz").exists()
    # Another machine, which has the packed data only.
    far = tmp_path / "far"
    (far / ".state/lent").mkdir(parents=True)
    (far / "results/mine").mkdir(parents=True)
    for name in ("params.yaml", "results/mine/plan.yaml", ".state/lent/packed.tar.xz"):
        (far / name).write_bytes((lent / name).read_bytes())
    said = command(far, "flows.lent", "run", "results/mine/plan.yaml", "--minutes", "9", "--out", "out")
    assert "left: 0" in said
    assert "left: 0" in command(far, "flows.lent", "run", "results/mine/plan.yaml", "--minutes", "0", "--out", "out")
    command(lent, "flows.lent", "gather", "results/mine/plan.yaml", str(far / "out/done.tar.xz"))
    kept = lent / "results/mine/quick-image"
    for table in ("summary.csv", "folds.csv", "summary.json"):
        assert (kept / table).read_bytes() == (plain / "metrics" / table).read_bytes(), table
    assert "nuclei-unet" in (kept / "provenance.json").read_text()


def test_what_is_wrong_with_a_plan_is_one_line(tmp_path: Path) -> None:
    folder = study(tmp_path / "study")
    for text, words in (
        ("blocks: [{recipe: none, by: image, datasets: [nuclei], models: [unet]}]", "recipe 'none' isn't in"),
        ("blocks: [{recipe: quick, by: video, datasets: [nuclei], models: [unet]}]", "blocks.0.by"),
        ("blocks: [", "plan.yaml: YAML"),
    ):
        (folder / "plan.yaml").write_text(text)
        said = command(folder, "flows.lent", "run", "plan.yaml", "--minutes", "1", "--out", "out", code=1)
        assert words in said
        assert said.count("error:") == 1
        assert "Traceback" not in said


def test_an_archive_does_not_write_outside(tmp_path: Path) -> None:
    folder = study(tmp_path / "study")
    (folder / "plan.yaml").write_text(PLAN)
    (folder / ".state/lent").mkdir(parents=True)
    with tarfile.open(folder / ".state/lent/packed.tar.xz", "w:xz") as archive:
        archive.add(folder / "params.yaml", "../../../../escaped.yaml")
    said = command(folder, "flows.lent", "run", "plan.yaml", "--minutes", "1", "--out", "out", code=1)
    assert "packed.tar.xz" in said
    assert not (tmp_path / "escaped.yaml").exists()

"""Tables and figures from scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multiresunet.evaluation.scores import SCORES
from multiresunet.report import figures, page, tables


def folds() -> pd.DataFrame:
    rows = [
        {
            "dataset": dataset,
            "model": model,
            "fold": fold,
            "images": 5,
            **dict.fromkeys(SCORES, 0.1 * (fold + 1) + bonus),
        }
        for dataset in ("zebra", "ant")
        for model, bonus in (("unet", 0.0), ("multiresunet", 0.2), ("Otsu threshold", 0.05))
        for fold in range(3)
    ]
    return pd.DataFrame(rows)


def test_the_summary_keeps_the_order_of_the_run() -> None:
    table = tables.summary(folds())
    assert list(table["dataset"]) == ["zebra"] * 3 + ["ant"] * 3
    assert table["jaccard_honest"].iloc[1] == pytest.approx(0.4)
    assert table["jaccard_honest_sd"].iloc[1] == pytest.approx(0.1)


def test_the_tree_is_what_dvc_diffs() -> None:
    tree = tables.as_tree(tables.summary(folds()))
    assert tree["ant"]["Otsu_threshold"]["dice_honest"] == 0.25


def test_tables_are_gathered_with_their_data_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pd.DataFrame({"x": [name]}).to_csv(tmp_path / name / "t.csv", index=False)
    gathered = tables.gather(tmp_path, ["b", "a"], "t.csv")
    assert gathered.to_dict("list") == {"dataset": ["b", "a"], "x": ["b", "a"]}


def test_figures_repeat_to_the_byte_and_show_something(tmp_path: Path) -> None:
    history = pd.DataFrame(
        [
            {"model": model, "fold": fold, "epoch": epoch, "test_jaccard": epoch / 10}
            for model in ("unet", "multiresunet")
            for fold in range(2)
            for epoch in (1, 2, 3)
        ]
    )
    rng = np.random.default_rng(0)
    truth = np.zeros((3, 20, 30), dtype=bool)
    truth[:, 5:15, 8:20] = True
    np.savez(
        tmp_path / "examples.npz",
        image=rng.integers(0, 255, (3, 3, 20, 30), dtype=np.uint8),
        truth=truth,
        predictions=np.stack([truth, ~truth], axis=1),
        jaccard=np.ones((3, 2)),
        samples=np.array(["a", "b", "c"]),
        ranks=np.array(["worst", "middle", "best"]),
        models=np.array(["unet", "multiresunet"]),
    )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.overview(tables.summary(folds()), tmp_path / name / "overview.png")
        figures.learning_curves("ant", history, tmp_path / name / "curves.png")
        figures.gallery(tmp_path / "examples.npz", tmp_path / name / "gallery.png")
    for name in ("overview.png", "curves.png", "gallery.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        with Image.open(tmp_path / "one" / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_a_page_without_results_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(page.UserError, match=r"metrics/summary\.csv is missing; run `dvc repro`"):
        page.render()

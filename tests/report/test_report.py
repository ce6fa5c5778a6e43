"""Tables and figures from scores."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from multiresunet.errors import UserError
from multiresunet.evaluation.tables import SCORES
from multiresunet.report import figures, page, tables
from stages.report import report


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


def tuning(study: str = "nested") -> pd.DataFrame:
    name = "tuning_improvement"
    numbers = {"study": study, name: 0.02, f"{name}_low": -0.01, f"{name}_high": 0.05}
    return pd.DataFrame([{"dataset": "ant", "model": "multiresunet", **numbers}])


def summary(study: str = "nested") -> pd.DataFrame:
    return tables.summary({"folds": folds(), "tuning": tuning(study)})


def test_the_summary_keeps_the_order_of_the_run() -> None:
    table = summary()
    assert list(table["dataset"]) == ["zebra"] * 3 + ["ant"] * 3
    assert table["jaccard"].iloc[1] == pytest.approx(0.4)
    assert table["jaccard_sd"].iloc[1] == pytest.approx(0.1)


def test_the_summary_has_the_tuning_improvement_and_which_score_is_optimistic() -> None:
    table = summary("shared (optimistic)").set_index(["dataset", "model"])
    columns = ["study", *(f"tuning_improvement{end}" for end in ("", "_low", "_high"))]
    tuned = table.loc[[("ant", "multiresunet")], columns]
    assert tuned.to_numpy().tolist() == [["shared (optimistic)", 0.02, -0.01, 0.05]]
    assert table.drop(index=("ant", "multiresunet"))[columns].isna().all(axis=None)


def test_the_tree_is_what_dvc_diffs() -> None:
    tree = tables.as_tree(summary())
    assert tree["ant"]["Otsu_threshold"]["dice"] == 0.25


def test_tables_are_gathered_with_their_data_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pd.DataFrame({"x": [name]}).to_csv(tmp_path / name / "t.csv", index=False)
    gathered = tables.gather(tmp_path, ["b", "a"], "t.csv")
    assert gathered.to_dict("list") == {"dataset": ["b", "a"], "x": ["b", "a"]}


def test_an_empty_table_leaves_the_others_their_numbers(tmp_path: Path) -> None:
    for name, table in {"a": pd.DataFrame({"x": [0.5]}), "b": pd.DataFrame(columns=["x"])}.items():
        (tmp_path / name).mkdir()
        table.to_csv(tmp_path / name / "t.csv", index=False)
    assert tables.gather(tmp_path, ["b", "a"], "t.csv")["x"].dtype == float
    assert list(tables.gather(tmp_path, ["b"], "t.csv").columns) == ["dataset", "x"]


def write_examples(path: Path, models: list[str]) -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((3, 20, 30), dtype=bool)
    truth[:, 5:15, 8:20] = True
    np.savez(
        path,
        image=rng.integers(0, 255, (3, 3, 20, 30), dtype=np.uint8),
        truth=truth,
        predictions=np.stack([truth, ~truth], axis=1),
        jaccard=np.ones((3, 2)),
        samples=np.array(["a", "b", "c"]),
        ranks=np.array(["worst", "middle", "best"]),
        models=np.array(models),
    )


def test_examples_repeat_to_the_byte_and_show_something(tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.npz", ["unet", "multiresunet"])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.examples(tmp_path / "examples.npz", tmp_path / name / "examples.png")
    assert (tmp_path / "one/examples.png").read_bytes() == (tmp_path / "two/examples.png").read_bytes()
    with Image.open(tmp_path / "one/examples.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5


def test_long_names_over_examples_do_not_run_into_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "Figure", lambda **words: drawn.append(figure := Figure(**words)) or figure)
    models = ["unet_bn_respath_matched", "unet_multires_matched"]
    write_examples(tmp_path / "examples.npz", models)
    figures.examples(tmp_path / "examples.npz", tmp_path / "examples.png")
    texts = [text for text in drawn[0].axes[0].texts if text.get_text()]
    assert [text.get_text().replace("\n", "") for text in texts[:4]] == ["input", "truth", *models]
    places = [text.get_window_extent() for text in texts]
    assert not [pair for pair in combinations(places, 2) if pair[0].overlaps(pair[1])]
    assert all(drawn[0].bbox.containsx(place.x0) and drawn[0].bbox.containsx(place.x1) for place in places)
    assert all(drawn[0].bbox.containsy(place.y0) and drawn[0].bbox.containsy(place.y1) for place in places)


def test_a_page_without_results_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"metrics/summary\.csv is missing; run `dvc repro`"):
        page.render()


def test_the_stage_names_the_stage_to_run_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"data/evaluated/nuclei is missing; run `dvc repro evaluate@nuclei` first"):
        report()


def test_the_paper_stands_beside_us() -> None:
    table = tables.beside_the_paper(summary(), {"zebra": "endoscopy (phantom)", "ant": "photography"})
    assert len(table) == 1
    row = table.iloc[0]
    assert row["U-Net, paper"] == "74.5 ± 1.5"
    assert row["MultiResUNet, ours"] == "40.0 ± 10.0"
    assert row["relative improvement, paper"] == "+10.2 %"
    assert row["relative improvement, ours"] == "+100.0 %"

"""The real pipeline on two small phantoms: what it makes, and what makes it stale."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests import small
from tests.warm import Warm

ROOT = Path(__file__).parents[2]
CODE = (
    "flows",
    "stages",
    "multiresunet",
    "catalog",
    "expectations",
    "dvc.yaml",
    "numerics.lock",
    "params.yaml",
    ".gitignore",
    ".dvcignore",
)
AS_USERS = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT = AS_USERS | {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


Run = Callable[..., subprocess.CompletedProcess[str]]
Stale = Callable[[Path], set[str]]


@pytest.fixture(scope="module")
def run(warm: Warm) -> Run:
    """Run a Python module in a checkout."""

    def run_in(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = warm.run(*words, cwd=folder, env=ENVIRONMENT, timeout=3000)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run_in


@pytest.fixture(scope="module")
def stale(run: Run) -> Stale:
    """The stages that DVC calls stale in a checkout."""
    return lambda folder: set(json.loads(run(folder, "dvc", "status", "--json").stdout))


def edit(folder: Path, **changes: Any) -> None:
    """Change params.yaml; a key's dots are written as two underscores."""
    path = folder / "params.yaml"
    tree = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = tree
        for parent in parents:
            place = place[parent]
        place[last] = value
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


def checkout(folder: Path, origin: Path = ROOT) -> Path:
    """A checkout of the code in `origin`, with two small phantoms in params.yaml."""
    folder.mkdir()
    for name in CODE:
        source = origin / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    edit(
        folder,
        run__datasets=["nuclei", "tumours"],
        run__models=["unet", "multiresunet"],
        run__tuned={"datasets": ["nuclei"], "models": ["multiresunet"]},
        datasets__nuclei__source__samples=6,
        datasets__nuclei__size=[32, 32],
        datasets__tumours__source__samples=6,
        datasets__tumours__size=[16, 16, 16],
        datasets__tumours__mask__classes={"core": [1, 4], "oedema": [2]},
        recipes__quick__folds__count=2,
        recipes__quick__updates=4,
        recipes__quick__filters=6,
        models__unet__longer={},
        tune__space__alpha__low=1.5,
        tune__trials=2,
        tune__splits=2,
        evaluate__perturbed__quick={"images": 2, "severities": [3]},
        evaluate__statistics__resamples=200,
    )
    for words in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(words, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    shutil.copytree(origin / ".dvc/plots", folder / ".dvc/plots")
    subprocess.run(["git", "add", "-A"], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "start"], cwd=folder, env=ENVIRONMENT, check=True)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which the flow has run the pipeline."""

    def make(folder: Path) -> None:
        checkout(folder / "one")
        settings = small.with_database(tmp_path_factory, small.settings(folder))
        command = [sys.executable, "-m", "flows.pipeline"]
        done = subprocess.run(command, cwd=folder / "one", env=settings, capture_output=True, text=True, timeout=3000)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(folder / "one/.state/logs")

    return small.once(tmp_path_factory, "pipeline", make) / "one"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "copy", symlinks=True))


def test_the_tables_hold_every_data_set_and_model(made: Path) -> None:
    summary = pd.read_csv(made / "metrics/summary.csv")
    models, baselines = ["unet", "multiresunet"], ["everything foreground", "Otsu threshold"]
    assert list(summary["dataset"]) == ["nuclei"] * 5 + ["tumours"] * 4
    assert list(summary["model"]) == [*models, "multiresunet_tuned", *baselines, *models, *baselines]
    assert summary["jaccard"].between(0, 1).all()
    assert (summary["jaccard_best_epoch"] >= summary["jaccard"] - 1e-9).all()
    classes = pd.read_csv(made / "metrics/classes.csv")
    assert list(zip(classes["dataset"], classes["model"], classes["class"], strict=True)) == [
        ("tumours", model, name) for model in models for name in ("core", "oedema")
    ]
    assert classes["dice"].between(0, 1).all()
    folds = pd.read_csv(made / "metrics/folds.csv")
    again = folds.groupby(["dataset", "model"], sort=False)["jaccard"].mean().to_numpy()
    assert abs(again - summary["jaccard"].to_numpy()).max() < 2e-4
    tree = json.loads((made / "metrics/summary.json").read_text())
    assert tree["tumours"]["Otsu_threshold"]["dice"] == summary["dice"].iloc[-1]


def test_the_last_epochs_score_is_that_of_the_history(made: Path) -> None:
    folds = pd.read_csv(made / "metrics/folds.csv").set_index(["dataset", "model", "fold"])
    for dataset in ("nuclei", "tumours"):
        history = pd.read_csv(made / f"data/evaluated/{dataset}/history.csv")
        for (model, fold), lines in history.groupby(["model", "fold"]):
            row = folds.loc[(dataset, model, fold)]
            assert row["jaccard"] == pytest.approx(lines["test_jaccard"].iloc[-1], abs=1e-4)
            assert row["jaccard_best_epoch"] == pytest.approx(lines["test_jaccard"].max(), abs=1e-4)


def test_the_page_is_whole_and_asks_for_nothing_else(made: Path) -> None:
    page = (made / "reports/index.html").read_text()
    for needed in ("nuclei", "tumours", "multiresunet_tuned", "torch", "params.yaml"):
        assert needed in page
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert page.count('class="gallery"') == 2
    assert (
        page.count('<td class="inconclusive"') + page.count('<td class="no"') + page.count('<td class="yes"') == 4 * 2
    )


def test_a_second_run_does_nothing(made: Path, run: Run, stale: Stale) -> None:
    assert stale(made) == set()
    assert "up to date" in run(made, "dvc", "repro").stdout


@pytest.mark.slow
def test_dvc_repro_in_another_checkout_gives_the_same_bytes(made: Path, tmp_path: Path, run: Run) -> None:
    other = checkout(tmp_path / "two", made)
    run(other, "dvc", "repro")
    written = [
        path for folder in ("metrics", "reports/tables", "reports/figures") for path in (made / folder).iterdir()
    ]
    assert len(written) > 20
    for path in (made / "dvc.lock", *written):
        assert path.read_bytes() == (other / path.relative_to(made)).read_bytes(), path


def test_one_data_sets_parameter_touches_that_data_set_alone(copy: Path, stale: Stale) -> None:
    edit(copy, datasets__nuclei__source__seed=2)
    assert stale(copy) == {"fetch@nuclei", "validate@nuclei", "preprocess@nuclei", "evaluate@nuclei", "report"}
    edit(copy, datasets__nuclei__source__seed=1, datasets__nuclei__size=[48, 48])
    assert stale(copy) == {"validate@nuclei", "preprocess@nuclei", "evaluate@nuclei", "report"}
    edit(copy, datasets__nuclei__size=[32, 32], datasets__nuclei__groups=True)
    models = {f"predict@nuclei-{model}-1" for model in ("unet", "multiresunet")}
    models |= {"tune@nuclei-multiresunet", "predict_tuned@nuclei-multiresunet-1"}
    assert stale(copy) == models | {"validate@nuclei", "preprocess@nuclei", "evaluate@nuclei", "report"}


def test_one_models_parameter_touches_that_model_alone(copy: Path, stale: Stale) -> None:
    edit(copy, models__unet__filters=16)
    data_sets = ("nuclei", "tumours")
    looks_for_twins = {f"evaluate@{data}" for data in data_sets}  # of tuned models among all models; takes seconds
    of_unet = {f"train@{data}-unet-1" for data in data_sets}
    assert stale(copy) == of_unet | looks_for_twins


def test_new_versions_of_libraries_make_every_stage_stale(copy: Path, stale: Stale) -> None:
    versions = copy / "numerics.lock"
    versions.write_text(versions.read_text().replace("torch==", "torch==9."))
    names = {name.partition("@")[0] for name in stale(copy)}
    assert names == {"fetch", "validate", "preprocess", "tune", "train", "train_tuned", "predict", "predict_tuned"} | {
        *("evaluate", "report"),
    }


def test_plots_of_two_commits_show_curves_and_scores(copy: Path, tmp_path: Path, run: Run) -> None:
    table = copy / "metrics/learning_curves.csv"
    subprocess.run(["git", "add", "-A"], cwd=copy, env=ENVIRONMENT, check=True)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "tables"], cwd=copy, env=ENVIRONMENT, check=True)
    curves = pd.read_csv(table)
    curves["test_jaccard"] = curves["test_jaccard"] / 2
    curves.to_csv(table, index=False)
    run(copy, "dvc", "plots", "diff", "HEAD", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    specs = [json.loads(spec) for spec in re.findall(r"var spec = (\{.*?\});\n", page, re.DOTALL)]
    by_title = {spec["title"]: spec for spec in specs}
    assert set(by_title) == {"learning curves", "scores"}
    drawn = pd.DataFrame(by_title["learning curves"]["data"]["values"])
    drawn["test_jaccard"] = drawn["test_jaccard"].astype(float)
    mean = drawn.groupby("rev")["test_jaccard"].mean()
    assert set(mean.index) == {"HEAD", "workspace"}
    assert mean["workspace"] == pytest.approx(mean["HEAD"] / 2, abs=1e-3)
    assert set(drawn["model"]) == {"unet", "multiresunet", "multiresunet_tuned"}
    assert len(by_title["scores"]["data"]["values"]) == 2 * 9  # commits; rows of the summary


@pytest.mark.slow
def test_an_experiment_changes_a_parameter_and_leaves_the_folder_alone(copy: Path, run: Run) -> None:
    subprocess.run(["git", "add", "-A"], cwd=copy, env=ENVIRONMENT, check=True)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "tables"], cwd=copy, env=ENVIRONMENT, check=True)
    run(
        copy, "dvc", "exp", "run", "--temp", "--name", "shorter", "-S", "recipes.quick.updates=2", "train@nuclei-unet-1"
    )
    status = subprocess.run(["git", "status", "--porcelain"], cwd=copy, env=ENVIRONMENT, capture_output=True, text=True)
    assert status.stdout == ""
    said = run(copy, "dvc", "params", "diff", "HEAD", "shorter", "--json").stdout
    assert json.loads(said)["params.yaml"]["recipes.quick.updates"] == {"old": 4, "new": 2, "diff": -2}


def test_what_python_compiles_makes_nothing_stale(copy: Path, stale: Stale) -> None:
    for folder in ("stages", "multiresunet/data", "multiresunet/nets"):
        (copy / folder / "__pycache__").mkdir(exist_ok=True)
        (copy / folder / "__pycache__/compiled.cpython-311.pyc").write_bytes(b"code")
    assert stale(copy) == set()


def test_report_code_retrains_nothing(copy: Path, stale: Stale) -> None:
    for name in ("stages/report.py", "multiresunet/report/figures.py"):
        with (copy / name).open("a") as file:
            file.write("# touched\n")
    assert stale(copy) == {"report"}


@pytest.mark.slow
def test_a_model_that_leaves_the_run_leaves_the_tables_and_the_lock(
    copy: Path, tmp_path: Path, run: Run, stale: Stale
) -> None:
    edit(copy, run__models=["unet"], run__datasets=["nuclei"], run__tuned={"datasets": [], "models": []})
    run(copy, "dvc", "repro")
    summary = pd.read_csv(copy / "metrics/summary.csv")
    assert list(summary["model"]) == ["unet", "everything foreground", "Otsu threshold"]
    assert sorted(path.name for path in (copy / "data/predicted/nuclei").iterdir()) == ["unet"]
    assert sorted(path.name for path in (copy / "data/evaluated").iterdir()) == ["nuclei"]
    assert stale(copy) == set()


def test_bad_params_stop_before_anything_is_touched(copy: Path, run: Run) -> None:
    before = (copy / "metrics/summary.csv").read_bytes()
    edit(copy, models__multiresunet__alpha=-1.0)
    done = run(copy, "dvc", "repro", check=False)
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors
    assert "models.multiresunet.alpha = -1.0" in errors[0]
    assert "Traceback" not in done.stderr
    assert (copy / "metrics/summary.csv").read_bytes() == before

"""`multiresunet diff` between commits of a small repository with known tables."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from multiresunet.cli import review
from multiresunet.errors import UserError
from multiresunet.review.changes import of_params, of_tables
from multiresunet.review.diff import Diff
from multiresunet.review.git import Tree

HEADER = "dataset,model,folds,images,jaccard,jaccard_sd\n"
LOCK = """
schema: '2.0'
stages:
  fetch@murphy:
    cmd: python -m stages.fetch murphy
    deps:
    - {{path: stages/fetch.py, md5: {code}}}
    outs:
    - {{path: data/raw/murphy, md5: {data}.dir, nfiles: {files}}}
"""
START = {
    "metrics/summary.csv": HEADER
    + "murphy,unet,5,97,0.9000,0.0100\nmurphy,multiresunet,5,97,0.9130,0.0100\nmurphy,Otsu threshold,5,97,0.5,0.001\n",
    "metrics/claims.csv": "dataset,claim,verdict\nmurphy,fewer epochs,holds\n",
    "params.yaml": "run: {datasets: [murphy], recipe: cpu}\nmodels: {unet: {filters: 32}}\n",
    "dvc.lock": LOCK.format(code="aaa", data="11111111", files=10),
}


def git(folder: Path, *words: str) -> None:
    names = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = os.environ | names | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with START as its first commit, `start`."""
    git(tmp_path, "init", "-q")
    commit(tmp_path, "start", **START)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commit(folder: Path, tag: str, **files: str | None) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", tag)
    git(folder, "tag", tag)


def summary(**scores: float) -> str:
    rows = {"unet": 0.9, "multiresunet": 0.913, "Otsu threshold": 0.5} | scores
    return HEADER + "".join(f"murphy,{model},5,97,{score:.4f},0.0100\n" for model, score in rows.items())


def between(old: str, new: str | None) -> Diff:
    return Diff.between(Tree(old), Tree(new))


def verdicts(diff: Diff) -> list[str]:
    return re.findall(r"^- (.*)$", diff.markdown(), re.MULTILINE)


def test_a_change_inside_the_interval_is_said_to_be_so(repo: Path) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(multiresunet=0.921)})
    diff = between("start", "new")
    assert verdicts(diff) == ["MultiResUNet on murphy 0.913 → 0.921, inside the interval"]
    # Student's t with 4 degrees of freedom: 0.913 ± 2.7764 · 0.01 / √5
    assert "| murphy · multiresunet | 0.9130 | 0.9210 | +0.0080 | 0.9006 … 0.9254 |" in diff.markdown()
    assert diff.regressions == []
    review.diff("start", "new")


def test_a_fall_beyond_the_interval_comes_first_and_fails_unless_meant(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(unet=0.95, multiresunet=0.89)})
    assert verdicts(between("start", "new")) == [
        "MultiResUNet on murphy 0.913 → 0.890, **worse, beyond the interval**",
        "U-Net on murphy 0.900 → 0.950, **better, beyond the interval**",
    ]
    with pytest.raises(UserError, match="multiresunet on murphy: worse than start, beyond the interval"):
        review.diff("start", "new")
    assert "worse, beyond the interval" in capsys.readouterr().out
    review.diff("start", "new", meant=True)
    review.diff("new", "start", meant=True)


def test_what_learns_nothing_gets_no_verdict_and_fails_nothing(repo: Path) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(**{"Otsu threshold": 0.1})})
    diff = between("start", "new")
    assert diff.regressions == []
    assert verdicts(diff) == ["No model's `jaccard` changed; other scores did."]
    assert "| murphy · Otsu threshold | 0.5000 | 0.1000 |" in diff.markdown()


def test_own_interval_columns_go_before_the_deviation(repo: Path) -> None:
    header = HEADER.strip() + ",jaccard_low,jaccard_high\n"
    for tag, score in (("a", 0.913), ("b", 0.9)):
        commit(repo, tag, **{"metrics/summary.csv": header + f"murphy,multiresunet,5,97,{score},0.5,0.905,0.92\n"})
    [cell] = between("a", "b").regressions
    assert cell.interval == (0.905, 0.92)


def test_one_fold_has_no_interval_and_so_no_regression(repo: Path) -> None:
    for tag, score in (("a", 0.9), ("b", 0.2)):
        commit(repo, tag, **{"metrics/summary.csv": HEADER + f"murphy,unet,1,97,{score},\n"})
    diff = between("a", "b")
    assert diff.regressions == []
    assert verdicts(diff) == ["U-Net on murphy 0.900 → 0.200, no interval known"]


def test_models_come_and_go_and_words_change(repo: Path) -> None:
    commit(
        repo,
        "new",
        **{
            "metrics/summary.csv": HEADER + "murphy,unet,5,97,0.9000,0.0100\nisbi2012,unet,5,30,0.8,0.01\n",
            "metrics/claims.csv": "dataset,claim,verdict\nmurphy,fewer epochs,can't be told\n",
        },
    )
    assert verdicts(between("start", "new")) == [
        "U-Net on isbi2012 is new: 0.8000",
        "MultiResUNet on murphy has gone (was 0.9130)",
        "claims, murphy · fewer epochs: verdict holds → **can't be told**",
    ]


def test_tables_whose_columns_changed_are_compared_by_what_they_share(repo: Path) -> None:
    wider = "dataset,model,folds,jaccard,jaccard_sd,boundary_f1\nmurphy,unet,5,0.9500,0.0100,0.7\n"
    commit(repo, "new", **{"metrics/summary.csv": wider, "metrics/claims.csv": None, "metrics/epochs.csv": "a,b\n"})
    cells = {
        (cell.table, cell.key, cell.column): (cell.old, cell.new) for cell in of_tables(Tree("start"), Tree("new"))
    }
    assert cells["summary", ("murphy", "unet"), "jaccard"] == (0.9, 0.95)
    assert cells["summary", ("murphy", "unet"), "boundary_f1"] == (None, 0.7)
    assert cells["summary", ("murphy", "unet"), "images"] == (97.0, None)
    assert cells["claims", ("murphy", "fewer epochs"), "verdict"] == ("holds", None)


def test_a_row_more_is_seen_even_if_it_has_no_other_columns(repo: Path) -> None:
    commit(repo, "a", **{"metrics/names.csv": "dataset,score\nmurphy,1\n"})
    commit(repo, "b", **{"metrics/names.csv": "dataset,score\nmurphy,1\nmurphy,2\n"})
    [cell] = of_tables(Tree("a"), Tree("b"))
    assert (cell.key, cell.old, cell.new) == (("murphy", "2"), None, "there")


def test_it_says_which_parameters_data_and_code_changed(repo: Path) -> None:
    commit(
        repo,
        "new",
        **{
            "metrics/summary.csv": summary(unet=0.901),
            "params.yaml": "run: {datasets: [murphy], recipe: paper}\nmodels: {unet_bn: {filters: 32}}\n",
            "dvc.lock": LOCK.format(code="bbb", data="22222222", files=12),
        },
    )
    changed = [(each.key, each.old, each.new) for each in of_params(Tree("start"), Tree("new"))]
    assert changed == [
        ("run.recipe", "cpu", "paper"),
        ("models.unet_bn", None, {"filters": 32}),
        ("models.unet", {"filters": 32}, None),
    ]
    text = between("start", "new").markdown()
    assert '| `run.recipe` | `"cpu"` | `"paper"` |' in text
    assert "| murphy | 10 files, `11111111` | 12 files, `22222222` |" in text
    assert "U-Net on murphy 0.900 → 0.901, inside the interval (on other images)" in text
    assert "- `stages/fetch.py`" in text


def test_the_working_tree_is_the_other_side_by_default(repo: Path) -> None:
    assert verdicts(between("start", None)) == ["No table changed."]
    (repo / "metrics/summary.csv").write_text(summary(unet=0.901))
    assert verdicts(between("start", None)) == ["U-Net on murphy 0.900 → 0.901, inside the interval"]


def test_the_picture_and_the_output_are_files(repo: Path) -> None:
    (repo / "metrics/summary.csv").write_text(summary(unet=0.5))
    review.diff("start", output=repo / "out/diff.md", picture=repo / "out/diff.png", meant=True)
    assert "worse, beyond" in (repo / "out/diff.md").read_text()
    assert Image.open(repo / "out/diff.png").width > 500
    assert not between("start", "start").picture(repo / "none.png")


def test_an_unknown_commit_is_named(repo: Path) -> None:
    with pytest.raises(UserError, match="'nowhere' is no commit of this repository"):
        between("nowhere", None)

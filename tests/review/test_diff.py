"""`multiresunet diff` between commits of a small repository with known tables."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multiresunet.cli.diff import diff as diff_command
from multiresunet.errors import UserError
from multiresunet.evaluation.table_keys import SUMMARY, TABLES, keys_of
from multiresunet.review.causes import Data, of_params
from multiresunet.review.changes import Row, TableDiff, interval_of, of_tables
from multiresunet.review.diff import Diff
from multiresunet.review.git import Tree
from tests.cli.test_data import call

HEADER = "dataset,model,folds,images,jaccard,jaccard_sd\n"
CLAIMS = "dataset,claim,measure,decisive,model,reference,advantage,verdict\n"
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
    "metrics/claims.csv": CLAIMS
    + "murphy,epochs,last,True,multiresunet,unet,0.5,supported\n"
    + "murphy,epochs,area,False,multiresunet,unet,0.2,supported\n",
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


def in_short(diff: Diff) -> list[str]:
    """The lines of the first list."""
    first = diff.markdown().split("\n\n")[1]
    return re.findall(r"^- (.*)$", first, re.MULTILINE)


def named(tables: list[TableDiff], name: str) -> TableDiff:
    [found] = [one for one in tables if one.name == name]
    return found


def test_a_change_inside_the_interval_is_no_regression(repo: Path) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(multiresunet=0.921)})
    diff = between("start", "new")
    assert in_short(diff) == ["No verdict changed.", "1 score changed."]
    assert "| data set | multiresunet |\n| --- | --- |\n| murphy | 0.913 → 0.921 (+0.008) |" in diff.markdown()
    # Student's t with 4 degrees of freedom: 0.913 ± 2.7764 · 0.01 / √5
    assert "| murphy · multiresunet | jaccard | 0.9130 | 0.9210 | +0.0080 | 0.9006 … 0.9254 |" in diff.markdown()
    assert diff.regressions == []
    diff_command("start", "new")


def test_a_fall_below_the_interval_fails_unless_it_is_meant(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(unet=0.95, multiresunet=0.89)})
    assert in_short(between("start", "new"))[1:] == [
        "**1 score fell below the old interval**: multiresunet on murphy.",
        "**1 score rose above the old interval**: unet on murphy.",
    ]
    with pytest.raises(UserError, match="multiresunet on murphy: below the interval of start"):
        diff_command("start", "new")
    assert "| **0.900 → 0.950 (+0.050) ▲** | **0.913 → 0.890 (-0.023) ▼** |" in capsys.readouterr().out
    diff_command("start", "new", meant=True)
    diff_command("new", "start", meant=True)


def test_a_changed_verdict_comes_first_with_its_claim_models_and_data_set(repo: Path) -> None:
    text = START["metrics/claims.csv"].replace("supported", "inconclusive").replace("0.5", "0.1")
    commit(repo, "new", **{"metrics/claims.csv": text})
    shown = between("start", "new").markdown()
    assert in_short(between("start", "new"))[0] == "**1 of 1 verdict changed.**"  # the other one isn't decisive
    row = "| epochs | multiresunet | unet | murphy | supported | **inconclusive** |"
    assert shown.index(row) < shown.index("<details>")
    assert "claims: 2 of 2 rows changed, largest -0.4000 in advantage (murphy · epochs · last" in shown


def test_baselines_are_no_regressions(repo: Path) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary(**{"Otsu threshold": 0.1})})
    diff = between("start", "new")
    assert diff.regressions == []
    assert in_short(diff)[-1] == "No network's `jaccard` changed."
    assert "| murphy · Otsu threshold | jaccard | 0.5000 | 0.1000 |" in diff.markdown()


def test_a_tables_own_interval_goes_before_the_deviation(repo: Path) -> None:
    header = HEADER.strip() + ",jaccard_low,jaccard_high\n"
    for tag, score in (("a", 0.913), ("b", 0.9)):
        commit(repo, tag, **{"metrics/summary.csv": header + f"murphy,multiresunet,5,97,{score},0.5,0.905,0.92\n"})
    [cell] = between("a", "b").regressions
    assert cell.interval == (0.905, 0.92)


def test_intervals_of_scores_end_at_0_and_1() -> None:
    row: Row = {
        "folds": 3.0,
        "jaccard": 0.02,
        "jaccard_sd": 0.04,
        "dice": 0.99,
        "dice_sd": 0.02,
        "hd95": 1.0,
        "hd95_sd": 9.0,
    }
    bounds = [interval_of(row, column) or (math.nan, math.nan) for column in ("jaccard", "dice", "hd95")]
    half = 4.3027 / 3**0.5  # of Student's t with 2 degrees of freedom, of a deviation of 1
    assert np.allclose(
        bounds, [(0, 0.02 + 0.04 * half), (0.99 - 0.02 * half, 1), (1 - 9 * half, 1 + 9 * half)], atol=1e-4
    )


def test_one_fold_has_no_interval_and_so_no_regression(repo: Path) -> None:
    for tag, score in (("a", 0.9), ("b", 0.2)):
        commit(repo, tag, **{"metrics/summary.csv": HEADER + f"murphy,unet,1,97,{score},\n"})
    diff = between("a", "b")
    assert diff.regressions == []
    assert "| murphy | 0.900 → 0.200 (-0.700), no interval |" in diff.markdown()


def test_models_come_and_go(repo: Path) -> None:
    text = HEADER + "murphy,unet,5,97,0.9000,0.0100\nisbi2012,unet,5,30,0.8,0.01\n"
    commit(repo, "new", **{"metrics/summary.csv": text})
    shown = between("start", "new").markdown()
    assert "| data set | unet | multiresunet |\n| --- | --- | --- |\n| isbi2012 | new: 0.800 | same |" in shown
    assert "| murphy | same | gone (was 0.913) |" in shown
    assert "summary: 1 row new, 2 rows gone</summary>" in shown


def test_columns_and_tables_that_come_or_go_are_one_line_each(repo: Path) -> None:
    wider = "dataset,model,folds,jaccard,jaccard_sd,boundary_f1,hd95\nmurphy,unet,5,0.9500,0.0100,0.7,3\n"
    old = {"metrics/former.csv": "dataset,model,contrast\nmurphy,unet,0.3\n"}
    commit(repo, "old", **old)
    commit(repo, "new", **{"metrics/summary.csv": wider, "metrics/claims.csv": None, "metrics/former.csv": None})
    shown = between("old", "new").markdown()
    assert (
        "summary: 1 of 1 rows changed, largest +0.0500 in jaccard (murphy · unet), 2 rows gone, 2 columns new, "
        in shown
    )
    assert "Columns new: boundary_f1, hd95\n\nColumns gone: images" in shown
    assert "<summary>claims: gone</summary>" in shown
    assert "<summary>former: gone</summary>" in shown


def test_tables_of_a_commit_with_other_names_of_columns_are_no_error(repo: Path) -> None:
    renamed = START["metrics/summary.csv"].replace("jaccard", "jaccard_former")
    claims = "dataset,claim,verdict\nmurphy,fewer epochs,yes\nmurphy,fewer epochs,no\n"
    commit(
        repo,
        "old",
        **{"metrics/summary.csv": renamed, "metrics/claims.csv": claims, "metrics/former.csv": "a,b\n1,2\n"},
    )
    for one, other in (("old", "start"), ("start", "old")):
        diff = between(one, other)
        assert diff.headlines == []
        assert "The summary of one side has no column `jaccard`, so its scores can't be compared." in in_short(diff)
        assert "summary: 2 columns new, 2 columns gone" in diff.markdown()


@pytest.mark.parametrize("name", ["reliability", "thresholds"])
def test_a_changed_value_is_a_changed_row_not_one_that_came_and_one_that_went(repo: Path, name: str) -> None:
    values = {"reliability": "bin,pixels,probability,foreground,model", "thresholds": "threshold,jaccard,model"}
    key = keys_of(name)
    assert set(key) <= {"dataset", *values[name].split(",")}
    for tag, shift in (("a", 0.0), ("b", 0.003)):
        rows = [
            f"murphy,{step},{100 + 1000 * shift:.0f},{step / 20 + shift},{step / 20},{model}"
            if name == "reliability"
            else f"murphy,{step / 20},{step / 40 + shift},{model}"
            for model in ("unet", "multiresunet")
            for step in range(10)
        ]
        commit(repo, tag, **{f"metrics/{name}.csv": "\n".join([f"dataset,{values[name]}", *rows, ""])})
    table = named(of_tables(Tree("a"), Tree("b")), name)
    assert (table.rows_changed, table.rows_new, table.rows_gone) == (20, [], [])
    largest = table.largest()
    assert largest
    assert largest.difference == pytest.approx(0.003)
    assert f"{name}: 20 of 20 rows changed, largest +0.0030 in " in between("a", "b").markdown()


def shown_lines(markdown: str) -> list[str]:
    """What a reader sees without opening anything."""
    closed = re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"▸ \1", markdown, flags=re.DOTALL)
    return [line for line in closed.splitlines() if line.strip() and not line.startswith("| ---")]


def moved(text: str, keys: tuple[str, ...]) -> str:
    """A table in which every number has changed a little, and every verdict, as after another number of epochs."""
    rows = list(csv.DictReader(io.StringIO(text)))
    lines = io.StringIO()
    writer = csv.DictWriter(lines, list(csv.DictReader(io.StringIO(text)).fieldnames or []), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for name in row.keys() - set(keys) - {"images", "folds", "units", "decisive"}:
            if re.fullmatch(r"-?\d+\.\d+", row[name]):
                row[name] = f"{0.97 * float(row[name]) + 0.003:.4f}"
        if "verdict" in row:
            row["verdict"] = {"supported": "inconclusive"}.get(row["verdict"], "supported")
        writer.writerow(row)
    return lines.getvalue()


def test_one_changed_parameter_fits_a_screen(repo: Path, repository: Path) -> None:
    tables = {path.stem: path.read_text() for path in (repository / "metrics").glob("*.csv")}
    assert {SUMMARY, "claims", "reliability"} <= set(tables) <= {SUMMARY, *TABLES}
    params = (repository / "params.yaml").read_text()
    commit(repo, "a", **{f"metrics/{name}.csv": text for name, text in tables.items()}, **{"params.yaml": params})
    changed = {f"metrics/{name}.csv": moved(text, keys_of(name)) for name, text in tables.items()}
    commit(repo, "b", **changed, **{"params.yaml": params.replace("seed: 2020", "seed: 2021")})
    diff = between("a", "b")
    assert all(not one.rows_new and not one.rows_gone for one in diff.tables)
    assert len(diff.tables) >= 11  # every table but those that are empty, or counted
    text = diff.markdown()
    lines = shown_lines(text)
    assert len(lines) <= 40, "\n".join(lines)
    assert "- `seed`: `2020` → `2021`" in lines
    assert len(text) < 65_536  # GitHub's limit of a comment


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
    assert '- `run.recipe`: `"cpu"` → `"paper"`' in text
    assert "- murphy: 10 files, `11111111` → 12 files, `22222222`" in text
    assert "- Other images: murphy." in text
    assert "- `stages/fetch.py`" in text


PIPELINE = """
stages:
  fetch:
    matrix: {dataset: "${run.datasets}"}
  report: {cmd: echo}
"""


def entry(name: str, code: str, data: str) -> str:
    dataset = name.partition("@")[2]
    outs = f"outs: [{{path: data/raw/{dataset}, md5: {data}}}], " if dataset else ""
    return f"  {name}: {{{outs}deps: [{{path: stages/fetch.py, md5: {code}}}]}}\n"


@pytest.mark.parametrize("last", [entry("fetch@left", "aaa", "3"), entry("report", "aaa", "")])
def test_code_is_changed_whatever_else_is_in_the_lock(repo: Path, last: str) -> None:
    head = "schema: '2.0'\nstages:\n"
    own = {"dvc.yaml": PIPELINE, "dvc.lock": head + entry("fetch@murphy", "aaa", "1") + last}
    commit(repo, "old", **own)
    commit(repo, "new", **{"dvc.lock": head + entry("fetch@murphy", "bbb", "1") + last})
    assert between("old", "new").code == ["stages/fetch.py"]
    assert between("old", "old").code == []


def test_a_data_set_that_left_the_run_is_gone_though_the_lock_has_it(repo: Path) -> None:
    lock = "schema: '2.0'\nstages:\n" + entry("fetch@murphy", "aaa", "1") + entry("fetch@left", "aaa", "2")
    run = "run: {{datasets: [{}]}}\n"
    commit(repo, "old", **{"dvc.yaml": PIPELINE, "dvc.lock": lock, "params.yaml": run.format("murphy, left")})
    commit(repo, "new", **{"params.yaml": run.format("murphy")})
    assert between("old", "new").data == [Data("left", ("2", 1), None)]


def test_uncertainties_that_alone_have_changed_are_shown(repo: Path) -> None:
    commit(repo, "new", **{"metrics/summary.csv": summary().replace("0.0100", "0.3100")})
    shown = between("start", "new").markdown()
    assert "summary: 3 of 3 rows changed, largest +0.3090 in jaccard_sd (murphy · Otsu threshold)" in shown
    assert "| murphy · unet | jaccard_sd | 0.0100 | 0.3100 | +0.3000 |" in shown


def test_other_bytes_of_the_same_values_are_called_so(repo: Path) -> None:
    text = START["metrics/summary.csv"]
    commit(repo, "digits", **{"metrics/summary.csv": text.replace("0.9000", "0.9")})
    assert "summary: the same values, written in another way" in between("start", "digits").markdown()
    header, first, second, third = text.splitlines(keepends=True)
    commit(repo, "order", **{"metrics/summary.csv": "".join([header, second, first, third])})
    assert "summary: rows in another order" in between("start", "order").markdown()


def test_the_working_tree_is_the_other_side_by_default(repo: Path) -> None:
    assert in_short(between("start", None)) == ["No table changed."]
    (repo / "metrics/summary.csv").write_text(summary(unet=0.901))
    assert in_short(between("start", None))[-1] == "1 score changed."


def test_the_picture_and_the_output_are_files(repo: Path) -> None:
    (repo / "metrics/summary.csv").write_text(summary(unet=0.5))
    diff_command("start", output=repo / "out/diff.md", picture=repo / "out/diff.png", meant=True)
    assert "fell below the old interval" in (repo / "out/diff.md").read_text()
    assert Image.open(repo / "out/diff.png").width > 500
    assert not between("start", "start").draw(repo / "none.png")


def test_an_unknown_commit_is_named(repo: Path) -> None:
    with pytest.raises(UserError, match="'nowhere' is no commit of this repository"):
        between("nowhere", None)


@pytest.mark.parametrize("words", [["diff", "HEAD"], ["verify"]])
def test_outside_a_repository_one_line_says_what_is_needed(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for _ in range(2):
        assert call(monkeypatch, *words) == (
            f"error: `multiresunet {words[0]}` compares commits of a git repository; "
            "run it in the root of a clone, beside params.yaml"
        )
        (tmp_path / "params.yaml").touch()  # beside which there is still no repository

"""Git's tables and those made: the same bytes, the same within tolerance, or different, and what."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from multiresunet.config import Verify
from multiresunet.errors import UserError
from multiresunet.review.judgement import Judgement, judge, tolerances
from tests import small

SUMMARY = "dataset,model,folds,jaccard,jaccard_sd\na,unet,3,0.5000,0.0100\na,otsu,3,0.3000,0.0200\n"
CLAIMS = (
    "dataset,claim,measure,model,reference,advantage,verdict,reason\na,epochs,last,multiresunet,unet,0.1,supported,\n"
)
RULE = Verify(tolerances={"*.jaccard": 0.01, "*.reason": None, "claims.*.epochs.*.advantage": 0.05})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return small.settings(tmp_path_factory.mktemp("settings"))


@pytest.fixture
def project(tmp_path: Path, settings: dict[str, str]) -> Path:
    """A commit with two tables, a tree and a lock."""
    (tmp_path / "metrics").mkdir()
    write(tmp_path, "metrics/summary.csv", SUMMARY)
    write(tmp_path, "metrics/claims.csv", CLAIMS)
    write(tmp_path, "metrics/summary.json", '{"a": {"unet": {"jaccard": 0.5}}}')
    write(tmp_path, "dvc.lock", "old")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=settings, check=True)
    small.commit(tmp_path, settings)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def made(folder: Path, name: str, old: str, new: str) -> Judgement:
    """The judgement after another text was made in a table."""
    text = (folder / name).read_text()
    assert old in text
    write(folder, name, text.replace(old, new))
    return judge(folder, RULE)


def test_the_same_bytes(project: Path) -> None:
    found = judge(project, RULE)
    assert (found.line(), found.passes(), found.passes(strict=True)) == ("same bytes", True, True)
    assert list(found.details()) == []


def test_within_tolerance_and_strictly_different(project: Path) -> None:
    found = made(project, "metrics/summary.csv", "0.5000", "0.5040")
    assert found.line() == "same within tolerance (largest 0.004: summary, a · unet, jaccard)"
    assert found.passes()
    assert not found.passes(strict=True)
    assert found.line(strict=True).startswith("different: metrics/summary.csv isn't the same bytes; same within tol")
    _, rows = list(found.details())
    assert "| summary, a · unet, jaccard | 0.5 | 0.504 | 0.004 | 0.01 |" in rows


def test_beyond_tolerance(project: Path) -> None:
    found = made(project, "metrics/summary.csv", "0.3000", "0.3200")
    assert found.line() == "different: metrics/summary.csv, a · otsu, jaccard: 0.3 in git, 0.32 made"
    assert not found.passes()
    assert "| 0.02 | 0.01, beyond |" in "".join(found.details())


def test_a_column_without_a_tolerance_has_none(project: Path) -> None:
    assert not made(project, "metrics/summary.csv", "0.0100", "0.0101").passes()


def test_a_number_that_is_none_any_more_is_different(project: Path) -> None:
    assert "jaccard: 0.5 in git, nothing made" in made(project, "metrics/summary.csv", "0.5000", "").line()


@pytest.mark.parametrize(("high", "line"), [("0.13", "same within tolerance"), ("0.2", "different")])
def test_a_bound_that_came_is_compared_with_the_value_that_had_none(
    project: Path, settings: dict[str, str], high: str, line: str
) -> None:
    write(project, "metrics/claims.csv", CLAIMS.replace("advantage,", "advantage,low,high,").replace("0.1,", "0.1,,,"))
    small.commit(project, settings)
    found = made(project, "metrics/claims.csv", "0.1,,,", f"0.1,0.08,{high},")
    rule = Verify(tolerances={"claims.*": 0.05})
    assert Judgement(found.tables, found.files, rule).line().startswith(line)


def test_a_reason_is_not_compared(project: Path) -> None:
    assert made(project, "metrics/claims.csv", "supported,", "supported,since it is so").passes()


def test_a_verdict_whose_numbers_are_within_tolerance_is_borderline(project: Path) -> None:
    found = made(project, "metrics/claims.csv", "0.1,supported", "0.09,inconclusive")
    assert found.passes()
    assert found.line().endswith("; 1 verdict borderline)")
    [bullets, *_] = found.details()
    line = "metrics/claims.csv, a · epochs · last · multiresunet · unet, verdict: supported in git, inconclusive made"
    assert f"- borderline: {line}" in bullets


@pytest.mark.parametrize(
    ("new", "passes"), [(",0.052,inconclusive,may be chance", True), (",0.048,inconclusive,may be chance", False)]
)
def test_a_verdict_beside_numbers_that_are_not_compared_is_borderline_if_one_differs(
    project: Path, settings: dict[str, str], new: str, passes: bool
) -> None:
    text = CLAIMS.replace("advantage,", "advantage,p_corrected,").replace(",supported,", ",0.048,supported,")
    write(project, "metrics/claims.csv", text)
    small.commit(project, settings)
    found = made(project, "metrics/claims.csv", ",0.048,supported,", new)
    rule = Verify(tolerances={"*.p_corrected": None, "*.reason": None})
    judged = Judgement(found.tables, found.files, rule)
    assert (judged.passes(), len(judged.borderline)) == (passes, int(passes))
    within = "same within tolerance (metrics/claims.csv: other bytes; 1 verdict borderline)"
    assert (judged.line() == within) == passes


@pytest.mark.parametrize(
    ("old", "new"), [("0.1,supported", "0.2,not supported"), ("0.1,supported", "0.1,not supported")]
)
def test_a_verdict_beyond_tolerance_or_without_any_other_number_is_different(project: Path, old: str, new: str) -> None:
    found = made(project, "metrics/claims.csv", old, new)
    assert "verdict: supported in git, not supported made" in found.line()
    assert not found.passes()


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("metrics/summary.csv", "a,otsu", "b,otsu", "metrics/summary.csv: git lacks the rows b · otsu"),
        ("metrics/summary.csv", ",jaccard_sd", ",sd", "metrics/summary.csv: git lacks the columns sd"),
        ("metrics/summary.csv", "0.5000", "0.50", "metrics/summary.csv: the same values, written in another way"),
        ("metrics/summary.json", "0.5", "0.7", "metrics/summary.json, a · unet, jaccard: 0.5 in git, 0.7 made"),
    ],
)
def test_other_shapes_and_trees_are_different(project: Path, name: str, old: str, new: str, words: str) -> None:
    assert words in made(project, name, old, new).line()


def test_tables_and_files_that_came_or_went_are_different(project: Path) -> None:
    subprocess.run(["git", "config", "status.showUntrackedFiles", "no"], cwd=project, check=True)
    (project / "metrics/claims.csv").unlink()
    write(project, "metrics/more.csv", "dataset,score\na,1\n")
    write(project, "extra.txt", "")
    wrong = judge(project, RULE).wrong
    assert wrong == [
        "metrics/claims.csv: the commit makes none",
        "metrics/more.csv: git has none",
        "extra.txt: the commit makes another one",
    ]


def test_other_weights_and_the_same_tables_are_within_tolerance(project: Path) -> None:
    found = made(project, "dvc.lock", "old", "new")
    assert found.line() == "same within tolerance (dvc.lock: other bytes, same tables)"
    assert not found.passes(strict=True)
    assert judge(project, RULE, own=["dvc.lock"]).line() == "same bytes"


def test_other_weights_are_different_where_every_byte_has_to_be_the_same(project: Path) -> None:
    found = replace(made(project, "dvc.lock", "old", "new"), exact=True)
    assert found.line() == "different: dvc.lock: other bytes"
    assert not found.passes()


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n{}\n", "[1]", "3"])
def test_a_tree_that_cannot_be_read_is_named(project: Path, settings: dict[str, str], text: str) -> None:
    write(project, "metrics/summary.json", text)
    for name in ("the working tree", "HEAD"):
        with pytest.raises(UserError, match=f"metrics/summary.json of {name} isn't a readable JSON object"):
            judge(project, RULE)
        small.commit(project, settings)
        write(project, "metrics/summary.json", "{}")


def test_a_finding_is_different_whatever_the_tables(project: Path) -> None:
    found = judge(project, RULE, ["numpy: 1 is installed, numerics.lock names 2"])
    assert found.line() == "different: numpy: 1 is installed, numerics.lock names 2"
    assert not found.passes()


def test_tolerances_are_read_as_the_rest_of_params_yaml_is(tmp_path: Path) -> None:
    write(tmp_path, "params.yaml", 'verify: {tolerances: {"summary*": 1e-3, "*.p": 0o10}}\nanother: key\n')
    assert tolerances(tmp_path).tolerances == {"summary*": 0.001, "*.p": 8}
    for text in ("- 1\n", "verify:\n"):
        write(tmp_path, "params.yaml", text)
        assert tolerances(tmp_path) == Verify()
    write(tmp_path, "params.yaml", "verify: {tolerances: {a: much}}\n")
    with pytest.raises(UserError, match=r"^params\.yaml: verify\.tolerances\.a: .*; fix it$"):
        tolerances(tmp_path)

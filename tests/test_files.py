"""Files are whole or absent; tables depend on their content alone; an error is one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiresunet.errors import UserError
from multiresunet.files import replacing, sha256, some_of, write_csv, write_json, write_text


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_finished_block_takes_the_place_of_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "some" / "where"
    for text in ("old", "new"):
        with replacing(target) as draft:
            (draft / text).write_text(text)
            assert not (target / text).exists()
    assert contents(tmp_path) == {"some/where/new": "new"}


def test_a_block_that_fails_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with replacing(target) as draft:
        (draft / "a").write_text("old")
    for failure in (ValueError, KeyboardInterrupt):
        with pytest.raises(failure), replacing(target) as draft:
            (draft / "a").write_text("half")
            raise failure
    assert contents(tmp_path) == {"out/a": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_run_left_behind_does_not_get_into_the_next(tmp_path: Path) -> None:
    for leftover in (".out.draft", ".out.old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "stale").write_text("stale")
    with replacing(tmp_path / "out") as draft:
        (draft / "a").write_text("new")
    assert contents(tmp_path) == {"out/a": "new"}


def test_text_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \udce9")
    assert contents(tmp_path) == {"a.txt": "old"}


def test_json_is_sorted_and_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"b": "α", "a": 1})
    assert (tmp_path / "new" / "a.json").read_text(encoding="utf-8") == '{\n  "a": 1,\n  "b": "α"\n}\n'


def test_csv_rounds_and_has_no_index_and_no_negative_zero(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a,b", "c"], "x": [1 / 3, -1e-9], "n": [1, 2], "gap": [None, 0.5]}, index=[7, 8])
    write_csv(tmp_path / "a.csv", table, digits=3)
    assert (tmp_path / "a.csv").read_bytes() == b'name,x,n,gap\n"a,b",0.333,1,\nc,0.000,2,0.500\n'


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_some_of_counts_the_rest() -> None:
    assert some_of([]) == ""
    assert some_of(list("abcde")) == "a, b, c, d, e"
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some_of(list("abc"), most=1) == "a and 2 more"


@given(st.text())
def test_a_user_error_is_one_line(text: str) -> None:
    assert len(str(UserError(text)).splitlines()) <= 1


def test_a_user_error_keeps_the_spaces_of_a_name() -> None:
    assert str(UserError("a  b\u3000c.png: \n   wrong\n")) == "a  b\u3000c.png: wrong"

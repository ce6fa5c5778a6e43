"""params.yaml as damage, accident and malice make it: it loads, or is refused in one short line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.worktree import configure
from multiresunet import config
from multiresunet.config import Params, editing
from multiresunet.errors import UserError
from tests import bounds

ORIGINAL = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i")
# Nine lines that hold 400 million values.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n" for last, name in pairwise(NAMES)
)
TOO_MUCH = "write less"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, TOO_MUCH),
        (ORIGINAL + BOMB, TOO_MUCH),
        (ORIGINAL + "x: &x {y: *x}\n", TOO_MUCH),
        (ORIGINAL + "x: &x [*x]\n", TOO_MUCH),
        (ORIGINAL + f"x: {'[' * 3000}{']' * 3000}\n", TOO_MUCH),
        (ORIGINAL + f"x: {'9' * 5000}\n", "not valid YAML: Exceeds the limit"),
        (ORIGINAL + "x: 2001-99-99\n", "not valid YAML: month must be in 1..12"),
        (ORIGINAL + "x: !!int x\n", "not valid YAML: invalid literal"),
        (ORIGINAL + "x: !!bool x\n", "not valid YAML"),
        (ORIGINAL + "---\nx: 1\n", "expected a single document"),
        (ORIGINAL + 'x: "\\uD800"\n', "not valid YAML"),
    ],
)
def test_what_cannot_be_loaded_cannot_be_changed_either(text: str, words: str) -> None:
    assert words in bounds.refusal(lambda: config.parse_text(text))
    assert words in bounds.refusal(lambda: editing.set_values(text, {"run.recipe": "cpu"}))


def test_a_long_value_is_cut() -> None:
    text = ORIGINAL.replace("\nseed: ", f"\nseed: {'x' * 100_000} #")
    assert "seed = 'xxx" in bounds.refusal(lambda: config.parse_text(text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"run: \xff\xfe", "not valid YAML"),
        (b"run: [a\nb: }", "line 2"),
        (b"- run\n", "has no key run"),
        (b"run: {datasets: 3, recipe: x, tuned: {datasets: 5}}", "things to fix"),
        (b"run: {datasets: 3, recipe: x, tuned: 7}", "things to fix"),
        (None, "is missing"),
    ],
)
def test_the_flow_changes_nothing_in_a_file_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "params.yaml"
    if content is not None:
        path.write_bytes(content)
    assert words in bounds.refusal(lambda: configure({"run.recipe": "cpu", "run.datasets": ["nuclei"]}))
    assert content is None or path.read_bytes() == content


TOKENS = (
    *("*a", "&a ", "&a [*a]", "[", "]", "{", "}", "? ", "<<: ", "- ", ": ", ", ", "|", ">", "'", '"', "#", "\t", "\n"),
    *("\0", "\r", "\x85", "\ufeff", "\u2028", "!!int ", "!!bool ", "!!float ", "!!binary ", "!!set ", "!!omap "),
    *("!!timestamp ", "!!python/name:os.system ", "%YAML 1.1\n---\n", "---\n", "...\n", "2001-99-99", "1e999", ".nan"),
    *("0o9", "0x", "12:99:99", "9" * 5000, "[" * 200, "x" * 5000, "null", "true", "~", "-1", "0"),
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(ORIGINAL)), st.integers(0, 30), st.one_of(st.sampled_from(TOKENS), st.text())),
    min_size=1,
    max_size=3,
)


@given(edits=EDITS)
@example(edits=[(0, 0, "!!timestamp ")])  # the parser's complaint repeats the file
@example(edits=[(0, 0, "!!set ")])
@settings(max_examples=100)
def test_damaged_text_is_loaded_or_refused(edits: list[tuple[int, int, str]]) -> None:
    text = ORIGINAL
    for start, length, token in edits:
        text = text[:start] + token + text[start + length :]
    for act in (lambda: config.parse_text(text), lambda: editing.set_values(text, {"run.recipe": "cpu"})):
        try:
            with bounds.memory():
                assert isinstance(act(), Params | str)
        except UserError as error:
            assert len(str(error).splitlines()) == 1
            assert len(str(error)) < 10_000

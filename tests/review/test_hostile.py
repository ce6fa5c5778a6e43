"""Tables, parameters and locks as damage makes them: `diff` compares them, or says in one line which file is wrong."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet.errors import UserError
from multiresunet.review.diff import Diff
from multiresunet.review.git import Tree
from tests import bounds

ROOT = Path(__file__).parents[2]
NAMES = ("metrics/summary.csv", "metrics/claims.csv", "metrics/other.csv")
ORIGINAL = {
    name: "".join((ROOT / name).read_text(encoding="utf-8").splitlines(keepends=True)[:8])
    for name in NAMES[:2]
} | {NAMES[2]: "a,b\n1,2\n"}  # fmt: skip
TOKENS = (
    *(",", ",,", '"', "\n", "\r", "\r\n", "\n\n", "\0", "\ufeff", ";", "\t", "nan", "inf", "-inf", "1e308", "-1e999"),
    *("jaccard", "jaccard_low", "jaccard_sd", "folds", "True", "|", "`", "<b>", "9" * 5000, "x" * 200_000),
)


def written(folder: Path, files: dict[str, bytes | str]) -> Tree:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Tree(None, folder)


def compared(old: Tree, new: Tree) -> str:
    return Diff.between(old, new).markdown()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics/summary.csv", b"dataset,model\n\xff\xfe,x\n"),
        ("metrics/summary.csv", b"dataset,model\n" + b"x" * 200_000 + b",y\n"),
        ("params.yaml", b"run: [\n"),
        ("params.yaml", b"seed: 2001-99-99\n"),
        ("params.yaml", b"- 1\n"),
        ("dvc.lock", b"stages: {a: {outs: [}}\n"),
        ("dvc.lock", b"stages: [1]\n"),
        ("dvc.lock", b"stages: {a: {outs: [{path: data/raw/x}]}}\n"),
        ("dvc.lock", b"stages: {a: {deps: 3}}\n"),
        ("dvc.lock", b"x\n"),
    ],
)
def test_the_file_that_is_wrong_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    good = written(tmp_path / "good", {**ORIGINAL, "params.yaml": "seed: 1\n", "dvc.lock": "stages: {}\n"})
    bad = written(tmp_path / "bad", {**ORIGINAL, "params.yaml": "seed: 1\n", "dvc.lock": "stages: {}\n", name: content})
    for old, new in ((good, bad), (bad, good)):
        assert bounds.refusal(partial(compared, old, new)).startswith(name)


EDIT = st.tuples(
    st.sampled_from(NAMES), st.integers(0, 600), st.integers(0, 200), st.one_of(st.sampled_from(TOKENS), st.text())
)


@given(edits=st.lists(EDIT, min_size=1, max_size=4), back=st.booleans())
@settings(max_examples=150)
def test_damaged_tables_are_compared_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, int, str]], back: bool
) -> None:
    place, texts = tmp_path_factory.getbasetemp(), dict(ORIGINAL)
    for name, start, length, token in edits:
        text = texts[name]
        texts[name] = text[:start] + token + text[start + length :]
    encoded = {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items()}
    trees = [written(place / "old", {**ORIGINAL}), written(place / "new", {**encoded})]
    try:
        with bounds.memory():
            assert compared(*(trees[::-1] if back else trees))
    except UserError as error:
        assert str(error).startswith("metrics/")
        assert len(str(error).splitlines()) == 1

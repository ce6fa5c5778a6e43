"""params.yaml is edited where it should be, and nowhere else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from multiresunet import config
from multiresunet.config import editing
from multiresunet.errors import UserError

TEXT = (Path(__file__).parents[2] / "params.yaml").read_bytes().decode()
ENTRY = {
    "modality": "own data: été",
    "source": {"kind": "folder", "path": "cells", "digest": "0" * 64},
    "size": [48, 48],
    "channels": 1,
    "fit": "resize",
    "normalisation": "rescale",
    "mask": {"values": [0, 1], "foreground": [1]},
    "groups": False,
}


def loaded(text: str) -> Any:
    return YAML(typ="safe").load(text)


def differing(old: str, new: str) -> list[tuple[str, str]]:
    pairs = zip(old.splitlines(keepends=True), new.splitlines(keepends=True), strict=True)
    return [(before, after) for before, after in pairs if before != after]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("run.datasets", ["murphy"], "  datasets: [murphy]\n"),
        ("run.recipe", "cpu", "  recipe: cpu\n"),
        ("recipes.quick.deep_supervision", {"weights": [0.5]}, "    deep_supervision: {weights: [0.5]}\n"),
        ("tune.space.alpha", None, "    alpha: null\n"),
        ("tune.trials", 20, "  trials: 20                            # of each study"),
        (
            "datasets.brats17.source.digest",
            "1",
            "    source: {kind: folder, path: Brats17TrainingData, layout: brats17, ",
        ),
        ("recipes.modern_cpu.augment", None, "    augment: null\n"),
        ("datasets.murphy.modality", "données: 3-D", '    modality: "données: 3-D"\n'),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_one_line_changes(key: str, value: object, line: str, newline: str) -> None:
    before = TEXT.replace("\n", newline)
    after = editing.set_values(before, {key: value})
    ((_, new),) = differing(before, after)
    assert new.startswith(line.replace("\n", newline))
    tree = loaded(after)
    for word in key.split("."):
        tree = tree[word]
    assert tree == value


def test_several_values_at_once() -> None:
    after = editing.set_values(TEXT, {"run.recipe": "cpu", "run.tuned.models": [], "evaluate.epochs.decisive": 0.9})
    assert len(differing(TEXT, after)) == 3
    assert config.parse_text(after).run.tuned.models == []


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        ("run:\n  x:\n  - a\n  - b\n\n# next\nseed: 1\n", "run.x", "run:\n  x: new\n\n# next\nseed: 1\n"),
        ("a:   # why\nb: 1\n", "a", "a: new   # why\nb: 1\n"),
        ("a:\n", "a", "a: new\n"),
        ("x: &x 1\na: {b: 1, c: *x, d: 2}\n", "a.c", "x: &x 1\na: {b: 1, c: new, d: 2}\n"),
        ("'a': 1", "a", "'a': new"),
    ],
)
def test_every_form_of_a_value_is_replaced(before: str, key: str, after: str) -> None:
    assert editing.set_values(before, {key: "new"}) == after


@pytest.mark.parametrize("key", ["modern.augment", "modern.augment.flip", "modern_cpu.augment.flip"])
def test_a_value_of_two_keys_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=rf"^params.yaml: recipes.{key} can't be changed alone"):
        editing.set_values(TEXT, {f"recipes.{key}": 0.1})


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("run.recip", "params.yaml has no key run.recip (did you mean recipe?)"),
        ("runs.recipe", "params.yaml has no key runs (did you mean run?)"),
        ("seed.colour", "params.yaml has no key seed.colour"),
    ],
)
def test_an_unknown_key_is_refused(key: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        editing.set_values(TEXT, {key: 1})
    assert str(caught.value) == says


PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), PRINTABLE),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("abcé_", min_size=1), inner)),
    max_leaves=4,
)


@given(value=VALUES)
@settings(max_examples=60, deadline=None)
def test_any_value_comes_back(value: object) -> None:
    text = "a: {b: 1, c: [2]}   # why\nd: 3\n"
    after = editing.set_values(text, {"a.c": value})
    assert loaded(after) == {"a": {"b": 1, "c": value}, "d": 3}
    assert after.startswith("a: {b: 1, c: ")
    assert after.endswith("}   # why\nd: 3\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_data_set_comes_behind_the_others_and_changes_nothing_else(newline: str) -> None:
    before = TEXT.replace("\n", newline)
    after = editing.add_dataset(before, "cells", ENTRY)
    start = after.index("  cells:")
    end = start + len(after) - len(before)
    assert after[:start] + after[end:] == before
    assert after[start:end].count("\n") == after[start:end].count(newline)
    assert newline * 2 + "# filters: U of the first level" in after[end - 2 * len(newline) :]
    expected = copy.deepcopy(loaded(TEXT))
    expected["datasets"]["cells"] = ENTRY
    assert loaded(after) == expected
    assert list(config.parse_text(after).datasets)[-1] == "cells"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("datasets:\n  a: {b: 1}", "datasets:\n  a: {b: 1}\n  new:\n    b: 2\n"),
        (
            "datasets:\n    a: {b: 1}\n\n# of m\nm: 1\n",
            "datasets:\n    a: {b: 1}\n    new:\n      b: 2\n\n# of m\nm: 1\n",
        ),
        (
            "datasets:\n  a: {b: 1}\n  # c: later\nm: 1\n",
            "datasets:\n  a: {b: 1}\n  # c: later\n  new:\n    b: 2\nm: 1\n",
        ),
    ],
)
def test_the_place_of_a_new_data_set(before: str, after: str) -> None:
    assert editing.add_dataset(before, "new", {"b": 2}) == after


@pytest.mark.parametrize("text", ["", "run: 1\n", "datasets: {}\n", "datasets: {a: {b: 1}}\n"])
def test_a_data_set_needs_a_block_of_others(text: str) -> None:
    with pytest.raises(UserError, match="datasets must be a block"):
        editing.add_dataset(text, "new", {"b": 2})

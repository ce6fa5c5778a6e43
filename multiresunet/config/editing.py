"""Change values in the text of params.yaml, or add a data set, and touch no other byte, so that the diff is readable.

ruamel.yaml says where each value stands. Its own round trip isn't used: it rewrites nulls and numbers elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML, nodes
from ruamel.yaml.error import YAMLError

from multiresunet.config.reading import tree_of
from multiresunet.errors import UserError, did_you_mean

FILE = "params.yaml"
PLAIN = re.compile(r"[A-Za-z_][\w/.-]*", re.ASCII)  # needs no quotes, unless it reads as null or true
Pair = tuple[Any, Any]


def set_values(text: str, changes: Mapping[str, object]) -> str:
    """The text with other values.

    Args:
        text: of params.yaml.
        changes: key with dots, `run.recipe` say, to its new value, which is written on one line.

    Raises:
        UserError: the text is wrong, there is no such key, or its value belongs to another key too (`&name`, `*name`).
    """
    expected = tree_of(text, FILE)
    for key, value in changes.items():
        start, end = _extent(text, key)
        space = "" if text[start - 1].isspace() else " "
        text = text[:start] + space + _flow(value) + text[end:]
        expected = _with_value(expected, key.split("."), value)
    if not isinstance(expected, dict) or _loaded(text) != expected:
        keys = ", ".join(changes)
        raise UserError(f"{FILE}: {keys} can't be changed alone (see & and * there); edit the file by hand")
    return text


def add_dataset(text: str, name: str, entry: Mapping[str, object]) -> str:
    """The text with one more data set, behind the others.

    Raises:
        UserError: the data sets aren't written as a block.
    """
    pairs = _top(text)
    index = next((i for i, (key, _) in enumerate(pairs) if key.value == "datasets"), None)
    others = pairs[index][1] if index is not None else None
    if index is None or not isinstance(others, nodes.MappingNode) or others.flow_style or not others.value:
        raise UserError(
            f"{FILE}: datasets must be a block with a line or more for each; write it so, then add {name!r}"
        )
    before = text[: pairs[index + 1][0].start_mark.index] if index + 1 < len(pairs) else text
    newline = "\r\n" if "\r\n" in text else "\n"
    own_comments = re.search(r"(?m)(?:^(?:#[^\n]*|[ \t\r]*)\n)*\Z", before)  # of the next key
    assert own_comments is not None
    at = own_comments.start()
    indent = " " * others.value[0][0].start_mark.column
    block = "".join(f"{indent}{line}{newline}" for line in entry_lines(name, entry))
    return text[:at] + ("" if text[at - 1] == "\n" else newline) + block + text[at:]


def entry_lines(name: str, entry: Mapping[str, object]) -> list[str]:
    """A data set as it is written in params.yaml: its name, and a line for each key."""
    return [f"{_flow(name)}:", *(f"  {_flow(key)}: {_flow(value)}" for key, value in entry.items())]


def _top(text: str) -> list[Pair]:
    """The top-level keys and values of YAML, with their places."""
    root = YAML(typ="safe").compose(text)
    return root.value if isinstance(root, nodes.MappingNode) else []


def _extent(text: str, key: str) -> tuple[int, int]:
    """Where the value of a key with dots begins and ends."""
    pairs, known, name, value = _top(text), "", None, None
    for word in key.split("."):
        found = next((pair for pair in pairs if pair[0].value == word), None)
        if found is None:
            raise UserError(f"{FILE} has no key {known}{word}{did_you_mean(word, (pair[0].value for pair in pairs))}")
        name, value = found
        pairs = value.value if isinstance(value, nodes.MappingNode) else []
        known += f"{word}."
    assert name is not None
    assert value is not None
    gap = re.compile(r":[ \t]*(\*\S+?(?=[,\]}\s]|$))?").search(text, name.end_mark.index)
    assert gap is not None
    if gap[1]:  # the marks of an alias are those of what it stands for
        return gap.start(1), gap.end(1)
    last = value
    while isinstance(last, nodes.CollectionNode) and not last.flow_style and last.value:  # a block's own end is vague
        last = last.value[-1][1] if isinstance(last, nodes.MappingNode) else last.value[-1]
    empty = value.start_mark.index == last.end_mark.index
    return (gap.start() + 1,) * 2 if empty else (gap.end(), last.end_mark.index)


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{_flow(key)}: {_flow(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str() if PLAIN.fullmatch(value) and _loaded(value) == value:
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)  # valid YAML too


def _loaded(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except YAMLError:
        return None


def _with_value(tree: Any, words: list[str], value: object) -> Any:
    """A copy of a tree with another value, which shares nothing with the tree."""
    first, *rest = words
    if not isinstance(tree, dict):  # by a tag, `!!set` say
        return None
    return tree | {first: _with_value(tree[first], rest, value) if rest else value}

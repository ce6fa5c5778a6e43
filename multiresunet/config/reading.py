"""Read params.yaml; all that is wrong with it is one error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from multiresunet.config.checks import contradictions, unknown_names
from multiresunet.config.messages import cut, error_of, findings_of, shown
from multiresunet.config.params import Params
from multiresunet.errors import UserError
from multiresunet.paths import PARAMS

LONG = 200  # characters of what the parser says, which may repeat the whole file
DEEPEST, MOST = 40, 1_000_000  # levels and values of a file


def parse(tree: Any, origin: str = "params.yaml") -> Params:
    """Check a parsed YAML tree.

    Raises:
        UserError: in one line, every wrong key, its value, and what is allowed.
    """
    if not isinstance(tree, dict):
        raise UserError(f"{origin}: holds {shown(tree)}; it needs the keys {', '.join(Params.model_fields)}")
    findings = list(unknown_names(tree))
    try:
        params = Params.model_validate(tree)
    except ValidationError as error:
        raise error_of(origin, findings_of(error) + findings) from None
    findings = findings or list(contradictions(params))
    if findings:
        raise error_of(origin, findings)
    return params


def parse_text(text: str, origin: str = "params.yaml") -> Params:
    """Read and check YAML.

    Raises:
        UserError: as `tree_of` and `parse` do.
    """
    return parse(tree_of(text, origin), origin)


def tree_of(text: str, origin: str = "params.yaml") -> Any:
    """Read YAML, as YAML 1.2, which DVC reads too.

    Raises:
        UserError: if it isn't YAML, says with its line; or if it holds too much, which aliases make of a few lines.
    """
    try:
        tree = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise UserError(f"{origin}{_fault(error, text)}") from None
    except (ValueError, LookupError) as error:  # of a date, a number or a tag
        raise UserError(f"{origin} is not valid YAML: {error}") from None
    except RecursionError:
        tree, deep = None, True
    else:
        deep = not _is_small(tree)
    if deep:
        raise UserError(
            f"{origin}: is nested more than {DEEPEST} deep, or has more than {MOST:,} values with those that & and * "
            "repeat; write less"
        )
    return tree


def _is_small(tree: Any) -> bool:
    """Whether a tree can be walked: no loop, no list of lists of lists that doubles with each line."""
    level, count = [tree], 0
    for _ in range(DEEPEST):
        below: list[Any] = []
        for node in level:
            parts = [*node, *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []
            count += len(parts)
            if count > MOST:
                return False
            below += parts
        level = below
    return not level


def load(path: Path = PARAMS) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: if the file is missing, isn't YAML, or holds something that isn't allowed.
    """
    return parse_text(text_of(path), path.name)


def text_of(path: Path = PARAMS) -> str:
    """The text of params.yaml, with its own ends of lines.

    Raises:
        UserError: if the file is missing, or isn't text.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the repository's root") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder; put the file in its place") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None


def _fault(error: YAMLError, text: str) -> str:
    """Where YAML is broken, how, and what stands there."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return f" is not valid YAML: {str(error).splitlines()[0]}"
    lines = [*text.splitlines(), ""]
    where = f" line {mark.line + 1}"
    if isinstance(error, DuplicateKeyError):
        key = re.search(r'duplicate key "(.*?)"', str(error.problem))
        return f"{where}: the key {key[1] if key else ''!r} is given twice; remove one"
    begun = error.context_mark
    context = f" {error.context} that begins in line {begun.line + 1}" if error.context and begun else ""
    there = lines[min(mark.line, len(lines) - 1)].strip()
    return f"{where} is not valid YAML: {cut(str(error.problem), LONG)}{context}: {there!r}"

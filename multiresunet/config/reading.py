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
from multiresunet.config.messages import error_of, findings_of
from multiresunet.config.params import Params
from multiresunet.errors import UserError


def parse(tree: Any, origin: str = "params.yaml") -> Params:
    """Check a parsed YAML tree.

    Raises:
        UserError: in one line, every wrong key, its value, and what is allowed.
    """
    if not isinstance(tree, dict):
        raise UserError(f"{origin}: holds {tree!r}; it needs the keys {', '.join(Params.model_fields)}")
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
    """Read and check YAML, as YAML 1.2, which DVC reads too.

    Raises:
        UserError: if it isn't YAML, says with its line; or as `parse` does.
    """
    try:
        tree = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise UserError(f"{origin}{_fault(error, text)}") from None
    return parse(tree, origin)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: if the file is missing, isn't YAML, or holds something that isn't allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run from the repository's root") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    return parse_text(text, path.name)


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
    return f"{where} is not valid YAML: {error.problem}{context}: {lines[min(mark.line, len(lines) - 1)].strip()!r}"

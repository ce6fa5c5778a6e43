"""What is wrong with params.yaml, in words: a finding for each error of pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from multiresunet.config.params import Params
from multiresunet.errors import UserError, did_you_mean

MOST = 12  # findings that are shown
LONGEST = 300  # signs of a value that are shown


def shown(value: object) -> str:
    """A value as Python writes it, cut where it's long."""
    return cut(repr(value))


def cut(text: str, longest: int = LONGEST) -> str:
    """The text, cut where it's long."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def error_of(origin: str, findings: list[str]) -> UserError:
    """One error that says all findings, in one line."""
    if len(findings) == 1:
        return UserError(f"{origin}: {findings[0]}")
    listed = "; ".join(f"({number}) {finding}" for number, finding in enumerate(findings[:MOST], start=1))
    more = f"; and {len(findings) - MOST} more" if len(findings) > MOST else ""
    return UserError(f"{origin}: {len(findings)} things to fix: {listed}{more}")


def findings_of(error: ValidationError) -> list[str]:
    """Each error with its key, its value, and what is allowed."""
    errors = error.errors(include_url=False)
    meant: set[tuple[str, ...]] = set()
    found: dict[int, str] = {}
    for index, one in enumerate(errors):
        if one["type"] == "extra_forbidden":
            path, known = _place(one["loc"])
            hint = did_you_mean(path[-1], known)
            if hint:
                meant.add((*path[:-1], hint.removeprefix(" (did you mean ").removesuffix("?)")))
            remedy = "fix its name" if hint else "remove it or fix its name"
            found[index] = f"{'.'.join(path)} = {shown(one['input'])}: this key isn't known here{hint}; {remedy}"
    for index, one in enumerate(errors):
        path, _ = _place(one["loc"])
        if one["type"] == "missing" and tuple(path) not in meant:  # its misspelt form is named already
            found[index] = f"{'.'.join(path)} is missing; add it"
        elif one["type"] not in ("missing", "extra_forbidden"):
            found[index] = _wrong_value(".".join(path), one)
    return [found[index] for index in sorted(found)]


def _wrong_value(where: str, one: Any) -> str:
    message = one["msg"].removeprefix("Value error, ")
    expected = one.get("ctx", {}).get("expected_tags") or one.get("ctx", {}).get("expected")
    if isinstance(expected, str):  # of a Literal
        word = one["ctx"].get("tag", one["input"])
        message += did_you_mean(word, re.findall(r"'([^']*)'", expected))
    value = "" if isinstance(one["input"], dict | BaseModel) else f" = {shown(one['input'])}"
    return f"{where}{value}: {message[0].lower()}{message[1:]}" if where else message


def _place(loc: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """A place as params.yaml has it, and the keys that may stand there.

    pydantic puts the kind of a source or a pruning into the place, and "[key]" behind a bad key; the file has neither.
    """
    kind: Any = Params
    path: list[str] = []
    known: list[str] = []
    for part in loc:
        kinds = list(_members(kind))
        if len(kinds) > 1 and any(part in _tags(member) for member in kinds):
            kind = next(member for member in kinds if part in _tags(member))
            continue
        if part == "[key]":
            continue
        path.append(str(part))
        kind = kinds[0] if kinds else None
        known = []
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
            known, kind = list(fields), fields.get(str(part))
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
    return path, known


def _members(kind: Any) -> Iterator[Any]:
    """The types of a union, without None; a type by itself."""
    if get_origin(kind) is Annotated:
        yield from _members(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            yield from _members(member)
    elif kind is not type(None):
        yield kind


def _tags(kind: Any) -> set[object]:
    """The values by which a union knows one of its models."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return set()
    kinds = [field.annotation for field in kind.model_fields.values() if get_origin(field.annotation) is Literal]
    return {value for literal in kinds for value in get_args(literal)}

"""dvc.lock, stage by stage: DVC reads and writes the whole file for each, which takes longer than most stages run.

`quicken` makes DVC, in this process, read only what has changed since it read last, and write only what it changes. The
bytes are DVC's own: each part is written by DVC's function, and a file of any other form is left to DVC.
"""

from __future__ import annotations

import copy
import marshal
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dvc.dvcfile
from dvc.utils.serialize import dumps_yaml, parse_yaml

from multiresunet.files import write_text

HEAD = "schema: '2.0'\nstages:\n"
FORM = re.compile(rf"{HEAD}(?:  [^\s#].*:\n(?:    .*\n)+)+")
PART = re.compile(r"  (\S.*):\n(?:    .*\n)+")

_read: dict[str, Any] = {}  # what each part of the file that was read last says
_plain_load = dvc.dvcfile.Lockfile._load_yaml
_plain_modify = dvc.dvcfile.modify_yaml


def split(text: str) -> dict[str, str] | None:
    """The stages' parts of a lock by name, in the file's order; None if the file isn't as DVC writes it."""
    if not FORM.fullmatch(text):
        return None
    parts = {found[1]: found[0] for found in PART.finditer(text)}
    return parts if all(re.fullmatch(r"[\w@./+-]+", name) for name in parts) else None  # no name in quotes


def join(parts: Iterable[str]) -> str:
    """A lock of these parts."""
    return HEAD + "".join(parts)


def parse(parts: Mapping[str, str]) -> dict[str, Any]:
    """What a lock's parts say, in copies that the caller may change; it is remembered until the next call."""
    new = [part for part in parts.values() if part not in _read]
    found = parse_yaml(join(new), "dvc.lock")["stages"] if new else {}
    dvc.dvcfile.Lockfile.validate({"schema": "2.0", "stages": found}, fname="dvc.lock")
    now = {part: found[name] if part not in _read else _read[part] for name, part in parts.items()}
    _read.clear()
    _read.update(now)
    return {name: copied(now[part]) for name, part in parts.items()}


def copied(value: Any) -> Any:
    """A copy of what YAML says, in a quarter of the time of `copy.deepcopy` where there is no date in it."""
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:
        return copy.deepcopy(value)


def quicken() -> None:
    """Let DVC use this module, in this process."""
    dvc.dvcfile.Lockfile._load_yaml = _load
    dvc.dvcfile.modify_yaml = _modify


def _load(lockfile: dvc.dvcfile.Lockfile, **settings: Any) -> tuple[Any, str]:
    with lockfile.repo.fs.open(lockfile.path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if settings or (parts := split(text)) is None:
        found: tuple[Any, str] = _plain_load(lockfile, **settings)
        return found
    return {"schema": "2.0", "stages": parse(parts)}, text


@contextmanager
def _modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    file = Path(path)
    parts = split(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else None
    if parts is None:
        with _plain_modify(path, fs=fs) as tree:
            yield tree
        return
    before = parse(parts)
    given = copied(before)
    tree = {"schema": "2.0", "stages": dict(given)}
    yield tree
    if tree.keys() != {"schema", "stages"}:
        with _plain_modify(path, fs=fs) as whole:
            whole.clear()
            whole.update(tree)
        return
    stages = tree["stages"]
    for name in stages:
        if stages[name] is not given.get(name) or stages[name] != before[name]:  # 1 equals 1.0, but isn't written so
            parts[name] = dumps_yaml({"stages": {name: stages[name]}}).partition("\n")[2]
    write_text(file, join(parts[name] for name in stages))

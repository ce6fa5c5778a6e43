"""What the output's folder knows of each image that is finished: `.records`, and the table that is made of them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.errors import UserError
from multiresunet.files import DIGITS, sha256, write_csv, write_json
from multiresunet.inference.inputs import Input, digest

RECORDS = ".records"  # in the output's folder: a file for each image that is finished
TABLE = "predictions.csv"
COLUMNS = (
    *("file", "foreground_share", "components", "area", "area_unit", "disagreement", "warnings"),
    *("seconds", "sha256", "outputs"),
)


def loaded(path: Path) -> dict[str, Any]:
    """What a JSON file of ours holds; nothing if it has been damaged."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return tree if isinstance(tree, dict) else {}


def place_of(one: Input, out: Path) -> Path:
    """Where an image's record lies."""
    return out / RECORDS / f"{one.name}.json"


def finished(one: Input, out: Path, settings: dict[str, Any]) -> bool:
    """Whether an image has been predicted with these settings, and all that was written is there."""
    path = place_of(one, out)
    if not path.exists() or not one.path.exists():
        return False
    record = loaded(path)
    there = all((out / name).is_file() for name in record.get("outputs", ()))
    return there and record.get("key") == _key(digest(one.path), settings)


def check_source(one: Input, out: Path) -> None:
    """Refuse an image by whose name another file's outputs lie in the folder.

    Raises:
        UserError: naming both files.
    """
    record = _record_of(one, out)
    if not any((out / name).is_file() for name in record.get("outputs", ())):
        return
    given = Path(record["row"]["file"])
    # From the output's folder, since the current one may be another, or the project's may have been moved.
    before = out.resolve() / record["source"] if "source" in record else given
    if _placed(before) == _placed(one.path) or (given.is_absolute() and given == one.path):
        return
    named = _placed(before) if given == one.path else given
    raise UserError(
        f"{one.path}: {out} holds what was predicted of {named} by this name; choose another --out, or --overwrite"
    )


def _record_of(one: Input, out: Path) -> dict[str, Any]:
    path = place_of(one, out)
    return loaded(path) if path.exists() else {}


def _placed(path: Path) -> Path:
    """Where a path leads, by links to folders; two links to one file are two images."""
    return path.parent.resolve() / path.name


def write(one: Input, out: Path, settings: dict[str, Any], row: dict[str, Any], targets: list[Path]) -> None:
    """Write down that an image is finished; what it had before and hasn't now is removed, unless it was changed since.

    Args:
        one: the image.
        out: the output's folder.
        settings: that it was predicted with.
        row: of the table, without what follows from the files.
        targets: the outputs, which lie in their places.
    """
    before, hashed = _record_of(one, out), digest(one.path)
    outputs = {target.relative_to(out).as_posix(): sha256(target) for target in targets}
    new = {name.casefold() for name in outputs}  # some systems take A and a for one name
    stale = {name: made for name, made in _all_of(before).items() if name.casefold() not in new}
    for name, made in stale.items():
        if (out / name).is_file() and sha256(out / name) == made:
            (out / name).unlink()
    record = {
        "key": _key(hashed, settings),
        "outputs": outputs,
        "left": {name: made for name, made in stale.items() if (out / name).is_file()},
        "source": Path(os.path.relpath(_placed(one.path), out.resolve())).as_posix(),
        "row": {**row, "sha256": hashed, "outputs": " ".join(outputs)},
    }
    write_json(place_of(one, out), record)


def tabulate(out: Path, settings: dict[str, Any]) -> list[str]:
    """Write predictions.csv of all that the folder holds of these settings, sorted by name.

    Returns:
        What it holds of others, which provenance.json doesn't speak of, and the table neither.
    """
    rows, others = [], []
    for path in sorted((out / RECORDS).rglob("*.json")):
        record = loaded(path)
        if not record:
            continue
        if record["key"] == _key(record["row"]["sha256"], settings):
            rows.append(record["row"])
            older = record.get("left", {})
        else:
            older = _all_of(record)
        others += [name for name in older if (out / name).is_file()]
    if rows:
        table = pd.DataFrame(rows)[list(COLUMNS)].astype({"components": "Int64"})
        write_csv(out / TABLE, table.assign(area=pd.Series([stated(row["area"]) for row in rows], dtype=object)))
    else:
        (out / TABLE).unlink(missing_ok=True)
    return others


def decimals(area: float) -> int:
    """As many as the table has, and more where fewer than so many digits would be left: voxels of a microscope."""
    return max(DIGITS, DIGITS - 1 - math.floor(math.log10(area))) if area > 0 else DIGITS


def stated(area: float | None) -> str | None:
    """An area as the table has it."""
    return None if area is None else f"{area:.{decimals(area)}f}"


def _all_of(record: dict[str, Any]) -> dict[str, str]:
    """The outputs that a record knows, and the SHA-256 with which each was written."""
    return {**record.get("left", {}), **record.get("outputs", {})}


def _key(image: str, settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([image, settings], sort_keys=True).encode()).hexdigest()

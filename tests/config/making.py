"""params.yaml as a tree that tests change."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from multiresunet import config
from multiresunet.errors import UserError

ORIGINAL = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
GONE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """params.yaml as a tree with one entry put in or (`GONE`) taken out."""
    tree = copy.deepcopy(ORIGINAL)
    *parents, last = path.split(".")
    place = tree
    for key in parents:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return tree  # type: ignore[no-any-return]


def refusal(tree: Any) -> str:
    with pytest.raises(UserError) as caught:
        config.parse(tree)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line

"""Names are read from where things are registered, and imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from multiresunet import registries, registry
from multiresunet.errors import UserError
from multiresunet.registry import Registry

SOURCE = """
from multiresunet.registries import THINGS
raise RuntimeError("imported")

@THINGS.register("one", takes=("alpha",), order=1)
def first(): ...

@THINGS.register("two")
@other.decorator
def second(): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "b.py").write_text(SOURCE)
    (tmp_path / "things" / "a.py").write_text('@THINGS.register("three")\nclass Third: ...\n')
    return tmp_path


def test_names_and_facts_are_read_without_running_the_code(folder: Path) -> None:
    things: Registry[object] = Registry("thing", "things")
    assert list(things) == ["three", "one", "two"]
    assert things.entries["one"].facts == {"takes": ("alpha",), "order": 1}
    assert things.entries["two"].module == "multiresunet.things.b"
    assert "one" in things
    assert "four" not in things


def test_a_module_can_come_first(folder: Path) -> None:
    assert list(Registry("thing", "things", first="b")) == ["one", "two", "three"]


def test_a_new_module_is_known_at_once(folder: Path) -> None:
    (folder / "things" / "c.py").write_text('@THINGS.register("four")\ndef fourth(): ...\n')
    assert "four" in Registry("thing", "things")


def test_an_unknown_name_is_answered_with_the_nearest_one(folder: Path) -> None:
    with pytest.raises(
        UserError, match=r"^thing 'thre' is unknown \(did you mean three\?\); there is three, one, two$"
    ):
        Registry("thing", "things")["thre"]


@pytest.mark.parametrize("name", [name for name in vars(registries) if name.isupper()])
def test_all_that_is_registered_can_be_imported(name: str) -> None:
    names: Registry[object] = getattr(registries, name)
    assert list(names)
    for each in names:
        assert callable(names[each])


def test_networks_are_shown_from_the_plainest_to_the_papers() -> None:
    assert list(registries.NETWORKS)[:3] == ["unet", "unet_bn", "unet_respath"]


def test_names_are_known_without_what_takes_seconds_to_import() -> None:
    code = (
        "import sys; from multiresunet.registries import *;"
        "print([*NETWORKS, *LOSSES, *PHANTOMS, *PERTURBATIONS, *READERS, *METRICS] != [] and"
        " [name for name in ('torch', 'scipy', 'pandas', 'numpy', 'monai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

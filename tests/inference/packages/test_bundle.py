"""A bundle predicts as its folder does; a crafted one is refused in one line, and leaves nothing."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from multiresunet.data.dataset import PreparedDataset
from multiresunet.errors import UserError
from multiresunet.files import sha256
from multiresunet.inference.loading import load_model
from multiresunet.inference.packages.exporting import export
from multiresunet.training.checkpoint import KEY
from tests.inference.packages.making import folder_of
from tests.training.making import SPEC

CPU = torch.device("cpu")
FILES = ["fold0", "fold1", "final"]
Parts = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a model with two folds and a final network; the folder that it is of lies beside it."""
    place = tmp_path_factory.mktemp("bundle")
    model = load_model(folder_of(place / "model", folds=2, final=True), device=CPU)
    export(model, "bundle", place / "x.zip")
    return place / "x.zip"


def test_it_predicts_as_its_folder_does(made: Path, disc_images: PreparedDataset, tmp_path: Path) -> None:
    for folds in ("all", "1", "final"):
        expected = load_model(made.parent / "model", folds, CPU)
        found = load_model(made, folds, CPU)
        assert (found.folder, found.names) == (made, expected.names)
        for images in (disc_images.images, disc_images.images[:, :, :19]):
            np.testing.assert_array_equal(found.predictor.foreground(images), expected.predictor.foreground(images))
    with ZipFile(made) as archive:
        archive.extractall(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        ["CITATION.cff", "LICENSE", "README.md", "model.json", *(f"{n}-last.safetensors" for n in FILES)]
    )
    assert load_model(tmp_path, device=CPU).names == ("0", "1")  # unpacked by hand, too


def test_it_can_be_exported_again_where_there_is_no_project(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export(load_model(made, device=CPU), "bundle", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == made.read_bytes()
    export(load_model(made, "final", CPU), "bundle", tmp_path / "final.zip")
    final = load_model(tmp_path / "final.zip", device=CPU)
    assert (final.names, list(final.description.networks)) == (("final",), ["final"])
    with pytest.raises(UserError, match=r"LICENSE is missing, which says whose the model is"):
        export(load_model(made.parent / "model", device=CPU), "bundle", tmp_path / "x.zip")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["again.zip", "final.zip"]


def test_its_card_lists_the_networks_that_it_holds(made: Path, tmp_path: Path) -> None:
    for source in (made.parent / "model", made):
        for folds, held in {"all": FILES, "0": ["fold0"], "final": ["final"]}.items():
            path = tmp_path / "x.zip"
            export(load_model(source, folds, CPU), "bundle", path)
            with ZipFile(path) as archive:
                card = archive.read("README.md").decode()
            assert [name for name in FILES if f"SHA-256 of {name}-last.safetensors" in card] == held
            assert ("No score is known of the final network" in card) == ("final" in held)


def slip(parts: Parts) -> None:
    parts["../../slipped.safetensors"] = b"x"


def absolute(parts: Parts) -> None:
    parts["/tmp/slipped.safetensors"] = b"x"


def bomb(parts: Parts) -> None:
    parts["zeros.safetensors"] = bytes(2**26)


def long_text(parts: Parts) -> None:
    parts["README.md"] = bytes(2**25)


def pickled(parts: Parts) -> None:
    parts["weights.pt"] = pickle.dumps(Evil())


def pickled_under_another_name(parts: Parts) -> None:
    parts["fold0-last.safetensors"] = pickle.dumps(Evil())
    name_again(parts)


def other_weights(parts: Parts) -> None:
    parts["fold0-last.safetensors"] = parts["fold1-last.safetensors"]


def no_weights(parts: Parts) -> None:
    del parts["fold0-last.safetensors"]


def weights_elsewhere(parts: Parts) -> None:
    tree = json.loads(parts["model.json"])
    tree["networks"]["0"]["file"] = "../../etc/passwd"
    parts["model.json"] = json.dumps(tree).encode()


def no_description(parts: Parts) -> None:
    del parts["model.json"]


def damaged_description(parts: Parts) -> None:
    parts["model.json"] = b"{"


def huge_network(parts: Parts) -> None:
    spec = json.dumps(replace(SPEC, filters=4000).as_dict())
    with tempfile.TemporaryDirectory() as place:
        save_file({"x": torch.zeros(4)}, f"{place}/w", metadata={KEY: spec})
        parts["fold0-last.safetensors"] = Path(place, "w").read_bytes()
    name_again(parts)


def name_again(parts: Parts) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(parts["fold0-last.safetensors"])
        tree = json.loads(parts["model.json"])
        tree["networks"]["0"]["sha256"] = sha256(Path(file.name))
    parts["model.json"] = json.dumps(tree).encode()


def named_badly(tree: dict[str, Any]) -> None:
    tree["networks"]["abc"] = tree["networks"].pop("0")


def no_such_number(tree: dict[str, Any]) -> None:
    tree["networks"]["0"]["spec"]["foo"] = 1


def of_another_network(tree: dict[str, Any]) -> None:
    tree["networks"]["0"]["spec"]["filters"] = 64


def no_intensity(tree: dict[str, Any]) -> None:
    tree["data"]["intensity"] = {}


def no_axes(tree: dict[str, Any]) -> None:
    tree["data"] |= {"scale": [], "sides": []}


def no_scale(tree: dict[str, Any]) -> None:
    tree["data"]["scale"] = [0, 1]


def of_volumes(tree: dict[str, Any]) -> None:
    tree["data"] |= {"size": [16] * 3, "scale": [1] * 3, "sides": [[16, 16]] * 3}


def unknown_normalisation(tree: dict[str, Any]) -> None:
    tree["data"]["normalisation"] = "foo"


def unknown_fit(tree: dict[str, Any]) -> None:
    tree["data"]["fit"] = "foo"


def other_channels(tree: dict[str, Any]) -> None:
    tree["data"]["channels"] = 3


def other_classes(tree: dict[str, Any]) -> None:
    tree["data"]["mask"] = {"values": [0, 1, 2], "foreground": [1, 2], "classes": {"a": [1], "b": [2]}}


@pytest.mark.parametrize(
    "craft",
    [
        *(named_badly, no_such_number, of_another_network, no_intensity, no_axes, no_scale, of_volumes),
        *(unknown_normalisation, unknown_fit, other_channels, other_classes),
    ],
)
def test_a_description_that_does_not_fit_its_networks_is_refused(
    made: Path, tmp_path: Path, craft: Callable[[dict[str, Any]], None]
) -> None:
    path = tmp_path / "x.zip"
    with ZipFile(made) as archive, ZipFile(path, "w") as crafted:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "model.json":
                tree = json.loads(content)
                craft(tree)
                content = json.dumps(tree).encode()
            crafted.writestr(name, content)
    with pytest.raises(UserError, match=r"x\.zip: its model\.json doesn't fit its networks, or itself; export it anew"):
        load_model(path, device=CPU)


class Evil:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, ("unpickled", "w")


@pytest.mark.parametrize(
    ("craft", "said"),
    [
        (slip, r"holds '\.\./\.\./slipped\.safetensors', which is no part of a bundle"),
        (absolute, r"holds '/tmp/slipped\.safetensors', which is no part of a bundle"),
        (bomb, r"would unpack to \d+ bytes, which no weights do"),
        (long_text, r"README\.md has 33554432 bytes, more than any has"),
        (pickled, r"holds 'weights\.pt', which is no part of a bundle"),
        (pickled_under_another_name, r"fold0-last\.safetensors: not weights that this program wrote"),
        (other_weights, r"fold0-last\.safetensors isn't what its model\.json names"),
        (no_weights, r"holds other weights than its model\.json names"),
        (weights_elsewhere, r"holds other weights than its model\.json names"),
        (no_description, r"no bundle, since it has no model\.json"),
        (damaged_description, r"/model\.json: damaged"),
        (huge_network, r"fold0-last\.safetensors: has fewer weights than its network"),
    ],
)
def test_a_crafted_one_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, craft: Callable[[Parts], None], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    craft(parts)
    with ZipFile("x.zip", "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=rf"^x\.zip.*{said}") as caught:
        load_model("x.zip")
    assert "temporary" not in str(caught.value)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["temporary", "x.zip"]
    assert not list((tmp_path / "temporary").iterdir())


def test_what_is_no_zip_or_a_damaged_one_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"x\.png: no bundle, or a damaged one"):
        load_model(tmp_path / "x.png")
    whole = made.read_bytes()
    for name, content in {"short.zip": whole[:-5000], "flipped.zip": whole[:9000] + b"~~~~" + whole[9004:]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: "):
            load_model(tmp_path / name)

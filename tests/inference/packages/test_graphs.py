"""ONNX and TorchScript give what PyTorch gives, at every size; if not, nothing is written."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from multiresunet.errors import UserError
from multiresunet.inference.description import ModelDescription
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model
from multiresunet.inference.packages import graph
from multiresunet.inference.packages.exporting import export, file_of
from multiresunet.nets import NetworkSpec
from multiresunet.registries import PACKAGES
from tests.inference.making import CPU
from tests.inference.packages.making import folder_of, model_of
from tests.nets.test_every_network import SPECS
from tests.training.making import SPEC

SIZES = {2: [(17, 33), (50, 70), (257, 300)], 3: [(17, 33, 18), (20, 35, 31), (48, 33, 40)]}
CASES = [replace(spec, classes=classes) for spec in SPECS for classes in (1, 3)]


def runs(model: Model, path: Path, to: str) -> graph.Run:
    """A file as other programs open it."""
    if to == "onnx":
        runtime = onnxruntime.InferenceSession(path)
        return lambda images: runtime.run(None, {"image": images})[0]
    module = torch.jit.load(path)
    return lambda images: module(torch.from_numpy(images)).detach().numpy()


def check(spec: NetworkSpec, folder: Path, to: str, folds: int = 1) -> Path:
    model = model_of(folder / "model", spec, folds)
    path = folder / file_of(model, to)
    said = export(model, to, path)
    assert "of PyTorch at" in said
    run, rng = runs(model, path, to), np.random.default_rng(3)
    for size in SIZES[spec.dims]:
        images = rng.random((2, spec.in_channels, *size), np.float32)
        with torch.no_grad():
            each = [network(torch.from_numpy(images)) for network in model.predictor.networks]
        read = torch.sigmoid if spec.classes == 1 else lambda logits: torch.softmax(logits, 1)
        expected = np.mean([read(logits).numpy() for logits in each], axis=0)
        assert expected.std() > 1e-3  # something that a conversion can get wrong
        np.testing.assert_allclose(run(images), expected, atol=graph.TOLERANCE, rtol=0)
    assert [one.name for one in folder.iterdir() if one.is_file()] == [path.name]  # no draft is left
    return path


def test_two_networks_in_one_onnx_for_old_runtimes(tmp_path: Path) -> None:
    made = onnx.load(check(replace(SPEC, in_channels=3), tmp_path, "onnx", folds=2))
    assert (made.ir_version, [(one.domain, one.version) for one in made.opset_import]) == (8, [("", 17)])
    props = {one.key: one.value for one in made.metadata_props}
    assert ModelDescription.model_validate(json.loads(props["model.json"])).threshold == 0.5


def test_classes_of_volumes_as_torchscript(tmp_path: Path) -> None:
    spec = NetworkSpec("unet", 3, 2, filters=2, classes=3)
    extra = {"model.json": ""}
    torch.jit.load(check(spec, tmp_path, "torchscript"), _extra_files=extra)
    assert json.loads(extra["model.json"])["model"] == "multiresunet"


@pytest.mark.parametrize("to", ["onnx", "torchscript"])
def test_the_description_names_the_networks_that_are_inside(to: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    export(load_model(folder_of(tmp_path / "model", folds=3), "1", CPU), to, path)
    if to == "onnx":
        text = next(one.value for one in onnx.load(path).metadata_props if one.key == "model.json")
    else:
        extra = {"model.json": ""}
        torch.jit.load(path, _extra_files=extra)
        text = extra["model.json"]
    assert list(json.loads(text)["networks"]) == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "torchscript"])
@pytest.mark.parametrize("spec", CASES, ids=lambda spec: f"{spec.name}-{spec.dims}d-{spec.classes}")
def test_every_network(spec: NetworkSpec, to: str, tmp_path: Path) -> None:
    check(spec, tmp_path, to)


@pytest.mark.parametrize("to", ["onnx", "torchscript"])
def test_a_graph_without_padding_is_noticed_and_not_written(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(spec: NetworkSpec) -> Tensor:
        return torch.rand(2, spec.in_channels, 32, 32)

    monkeypatch.setattr(f"multiresunet.inference.packages.{to}.example", whole)
    model = model_of(tmp_path / "model", NetworkSpec("unet", 2, 1, filters=1))
    with pytest.raises(UserError, match=r"(ONNX|TorchScript): fails at 17×33 \(.*\); nothing is written"):
        export(model, to, tmp_path / "x")
    assert [one.name for one in tmp_path.iterdir()] == ["model"]


def test_other_numbers_are_not_written(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    by_pytorch = replace(model.predictor).probabilities
    assert graph.compare(by_pytorch, model, "this").startswith("this within 1e-08 of PyTorch at 32×32, 17×33, 257×300")
    for wrong in (lambda images: by_pytorch(images) + 2e-4, lambda images: by_pytorch(images) * np.nan):
        with pytest.raises(UserError, match=r"this: at 32×32 it differs from PyTorch by .*, more than 0\.0001"):
            graph.compare(wrong, model, "this")
    with pytest.raises(UserError, match="differs"):
        graph.compare(lambda images: by_pytorch(images)[..., 1:], model, "this")


def test_without_the_extra_one_line_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs onnxruntime; install it: pip install 'multiresunet\[export\]'"):
        export(model_of(tmp_path / "model"), "onnx", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_what_is_there_is_replaced_by_what_is_whole_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = model_of(tmp_path / "model"), tmp_path / "x.pt"
    path.write_text("old")
    with monkeypatch.context() as patch, pytest.raises(UserError, match="nothing is written"):
        patch.setattr(graph, "TOLERANCE", -1)
        export(model, "torchscript", path)
    assert path.read_text() == "old"
    with pytest.raises(UserError, match="is a folder; name a file"):
        export(model, "torchscript", tmp_path)
    with pytest.raises(UserError, match=r"format to export to 'onx' is unknown \(did you mean onnx\?\)"):
        export(model, "onx", path)


def test_the_formats() -> None:
    assert sorted(PACKAGES) == ["bioimageio", "bundle", "onnx", "torchscript"]

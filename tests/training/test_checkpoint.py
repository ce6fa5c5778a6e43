"""Weights come back with their network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.registries import NETWORKS
from multiresunet.training import checkpoint


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("dims", [2, 3])
def test_a_network_survives_saving(name: str, dims: int, tmp_path: Path) -> None:
    spec = NetworkSpec(name, dims, 2, filters=4, alpha=2.0, shares=(0.2, 0.25, 0.4), respath=2)
    network = build_network(spec, torch.Generator().manual_seed(3)).eval()
    checkpoint.save(tmp_path / "w.safetensors", spec, network.state_dict())
    again = checkpoint.load(tmp_path / "w.safetensors").eval()
    image = torch.rand(1, 2, *[16] * dims)
    with torch.no_grad():
        assert torch.equal(network(image), again(image))


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    spec = NetworkSpec("unet", 2, 1, filters=2)
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, spec, build_network(spec).state_dict())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no weights at all", None])
def test_a_file_that_is_no_checkpoint_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"w\.safetensors: "):
        checkpoint.load(path)


def test_a_cut_checkpoint_is_named(tmp_path: Path) -> None:
    spec = NetworkSpec("unet", 2, 1, filters=2)
    path = tmp_path / "w.safetensors"
    checkpoint.save(path, spec, build_network(spec).state_dict())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"w\.safetensors: "):
        checkpoint.load(path)

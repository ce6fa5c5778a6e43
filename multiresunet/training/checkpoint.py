"""Weights as safetensors, with all that is needed to rebuild the network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multiresunet.errors import UserError
from multiresunet.nets import NetworkSpec, build_network

KEY = "network"


def save(path: Path, spec: NetworkSpec, weights: Mapping[str, Tensor]) -> None:
    """Write a network's state and its specification; the same bytes for the same arguments."""
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        path,
        metadata={KEY: json.dumps(spec.as_dict(), sort_keys=True)},
    )


def load(path: Path) -> nn.Module:
    """Rebuild a network from a file that `save` wrote.

    Raises:
        UserError: if the file is missing, damaged, or of another program.
    """
    with _readable(path):
        network = build_network(spec_of(path))
        network.load_state_dict(load_file(path))
    return network


def spec_of(path: Path) -> NetworkSpec:
    """The specification of the network in a file that `save` wrote.

    Raises:
        UserError: if the file is missing, damaged, or of another program.
    """
    with _readable(path), safe_open(path, "pt") as file:
        return NetworkSpec(**json.loads((file.metadata() or {})[KEY]))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: these weights are missing; run `dvc repro`, or `dvc checkout`") from None
    except (SafetensorError, KeyError, TypeError, RuntimeError, ValueError, OSError) as error:
        raise UserError(
            f"{path}: not weights that this program wrote ({error}); train again, or choose another file"
        ) from None

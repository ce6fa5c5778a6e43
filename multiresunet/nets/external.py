"""Networks from elsewhere: any `torch.nn.Module`, by its import path and arguments."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiresunet.errors import UserError
from multiresunet.memory import out_of_memory
from multiresunet.nets.ushape import cropped, padded
from multiresunet.paper import STEP


class External(nn.Module):
    """A module that keeps an image's size, between the padding and cropping that our own networks have too.

    Args:
        path: where the class is imported from, "monai.networks.nets.AttentionUnet", say.
        arguments: of the class; the words `$dims`, `$channels` and `$classes` in them, wherever they stand, become the
            number of axes, of the image's channels and of logits per pixel.
        dims, in_channels, classes: these numbers.
        seed: of the initial weights, which the class draws as it likes.

    Raises:
        UserError: if there is no such class, it is no `nn.Module`, it refuses the arguments, or it can't learn.
    """

    def __init__(
        self, path: str, arguments: Mapping[str, Any], dims: int, in_channels: int, classes: int, seed: int
    ) -> None:
        super().__init__()
        self.path, self.dims, self.classes = path, dims, classes
        made_by = _class(path)
        words = {"$dims": dims, "$channels": in_channels, "$classes": classes}
        filled = {key: _filled(value, words, f"network {path}: arguments.{key}") for key, value in arguments.items()}
        _refuse_unknown(made_by, path, filled)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                self.module = made_by(**filled)
            except Exception as error:  # whatever somebody else's constructor raises
                reason = " ".join(str(error).split())
                raise UserError(f"network {path}: arguments: {type(error).__name__}: {reason}; fix them") from error
        if not any(True for _ in self.module.parameters()):
            raise UserError(f"network {path}: has no weights, so it can't learn; take another")

    def forward(self, x: Tensor) -> Tensor:
        """N×C×(D×)H×W to logits N×classes×(D×)H×W, for any size that the module can halve as often as it wants to.

        Raises:
            UserError: if the module fails, or gives anything else.
        """
        size = x.shape[2:]
        try:
            y = self.module(padded(x, self.dims, STEP))
        except (RuntimeError, ValueError) as error:
            if out_of_memory(error):
                raise
            raise UserError(
                f"network {self.path}: fails on images {list(x.shape)}: {' '.join(str(error).split())}; fix its "
                "arguments, or take another"
            ) from error
        # x.shape[0], since len(x) would fix the number of images when the network is exported.
        expected = (x.shape[0], self.classes, *(side + -side % STEP for side in size))
        if not isinstance(y, Tensor) or y.shape != expected:
            found = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise UserError(
                f"network {self.path}: gives {found} where logits {list(expected)} are wanted; "
                "fix its arguments, or take another"
            )
        return cropped(y, size)


def _class(path: str) -> type[nn.Module]:
    place, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"network {path}: can't be imported ({error}); fix the path, or install the package") from None
    # Weights from elsewhere name a network too: nothing but a network may be called.
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"network {path}: is no torch.nn.Module; name the class of a network")
    return found


def _filled(value: object, words: Mapping[str, int], where: str) -> object:
    if isinstance(value, list | tuple):
        return [_filled(part, words, where) for part in value]
    if isinstance(value, dict):
        return {key: _filled(part, words, where) for key, part in value.items()}
    if isinstance(value, str) and value.startswith("$"):
        if value not in words:
            raise UserError(f"{where}: {value} is unknown; allowed: {', '.join(words)}")
        return words[value]
    return value


def _refuse_unknown(made_by: type[nn.Module], path: str, arguments: Mapping[str, object]) -> None:
    parameters = inspect.signature(made_by).parameters.values()
    rest = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    known = {parameter.name: parameter.default for parameter in parameters if parameter.kind not in rest}
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    for key in arguments:
        if key not in known and not open_ended:
            raise UserError(f"network {path}: arguments.{key} is unknown; allowed: {', '.join(known)}")
    for key, default in known.items():
        if default is inspect.Parameter.empty and key not in arguments:
            raise UserError(f"network {path}: arguments.{key} is missing; add it")


def seed_of(generator: torch.Generator) -> int:
    """A seed that depends on the generator's state."""
    return cast(int, torch.randint(2**62, (), generator=generator).item())

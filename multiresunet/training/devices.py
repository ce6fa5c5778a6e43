"""One device, or several that train one network together (Lightning Fabric)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from multiresunet.config import Machine, Recipe
from multiresunet.memory import keep_freed_memory

LEADER = "MULTIRESUNET_LEADER"  # the process that starts the others, while it does


class Devices(Protocol):
    """What the training loop asks for; `lightning_fabric.Fabric` has it."""

    @property
    def world_size(self) -> int:
        """How many devices there are."""

    @property
    def global_rank(self) -> int:
        """Which of them this process has."""

    @property
    def device(self) -> torch.device:
        """This process's device."""

    def setup_module(self, module: nn.Module) -> nn.Module:
        """The network, so that gradients become the devices' mean."""

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss."""

    def all_reduce(self, data: Tensor, *, reduce_op: str) -> Tensor:
        """The sum or maximum over devices."""


class SingleDevice:
    """One device, which needs none of this, nor Fabric's two seconds of import."""

    world_size = 1
    global_rank = 0

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def setup_module(self, module: nn.Module) -> nn.Module:
        """The module as it is."""
        return module

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss."""
        tensor.backward()

    def all_reduce(self, data: Tensor, *, reduce_op: str) -> Tensor:
        """The data as it is."""
        return data


def use_threads(threads: int, *, deterministic: bool = True) -> torch.device:
    """Make results repeatable: fix the number of CPU threads and the algorithms; return the device to use.

    On the CPU algorithms are always deterministic; on a GPU the faster ones, which aren't, can be allowed.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fixed = deterministic or device.type == "cpu"
    if fixed:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself only with this
    # As use_deterministic_algorithms, which imports torch's compiler too: two seconds of every stage.
    torch.set_deterministic_debug_mode("error" if fixed else "default")
    # Costs time, and nothing here reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set dynamically
    torch.backends.cudnn.benchmark = not fixed
    return device


def gpu_in_words(device: torch.device, recipe: Recipe) -> str:
    """A GPU, its driver, PyTorch and how it multiplies; what these are decides the last digits of a result."""
    tf32 = recipe.precision == "float32" and torch.backends.cudnn.allow_tf32
    return (
        f"{torch.cuda.get_device_name(device)}, driver {_driver()}, PyTorch {torch.__version__}, {recipe.precision}"
        f"{' (convolutions in TF32)' if tf32 else ''}"
    )


def _driver() -> str:
    """The version of NVIDIA's driver, which PyTorch doesn't tell."""
    question = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(question, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def devices_of(machine: Machine, recipe: Recipe, device: torch.device) -> Devices:
    """The devices that params.yaml wants; with several, this starts a process for each of the others.

    Each process then runs the same program from its beginning, and gets its own `global_rank`.
    """
    if machine.devices * machine.num_nodes == 1:
        return SingleDevice(device)
    from lightning_fabric import Fabric

    fabric = Fabric(
        accelerator=device.type,
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        precision="bf16-mixed" if recipe.precision == "bfloat16" else "32-true",
    )
    leader = int(os.environ.setdefault(LEADER, str(os.getpid())))  # which the others inherit
    if leader != os.getpid():
        threading.Thread(target=_end_with, args=(leader,), daemon=True).start()
    fabric.launch()
    del os.environ[LEADER]
    return cast(Devices, fabric)


def _end_with(leader: int) -> None:
    """End this process when the one that started it has gone: alone it would wait for that one, for half an hour."""
    while os.getppid() == leader:
        time.sleep(1)
    os._exit(1)

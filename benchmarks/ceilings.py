"""How long something takes, how much memory, and how fast this machine could be at most."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from multiresunet.nets import NetworkSpec, build_network


def wait_for(device: torch.device) -> None:
    """Let the device end what it has been given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


CLOCKS = {"wall": time.perf_counter, "process": time.process_time}


def seconds(action: Callable[[], object], device: torch.device, clock: Callable[[], float] = CLOCKS["wall"]) -> float:
    """What it takes, with everything that the device still has to do."""
    wait_for(device)
    start = clock()
    action()
    wait_for(device)
    return clock() - start


def added_memory(action: Callable[[], object], device: torch.device) -> float:
    """MiB that it needs at most beyond what is held already; not a number where the system doesn't tell."""
    gc.collect()
    if device.type == "cuda":
        wait_for(device)
        before = float(torch.cuda.memory_allocated(device))
        torch.cuda.reset_peak_memory_stats(device)
        action()
        wait_for(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        # This makes Linux forget the highest value so far.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = resident("VmRSS")
        action()
        return (resident("VmHWM") - before) / 1024
    except OSError:
        action()
        return float("nan")


def resident(key: str) -> float:
    """KiB, from /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith(key)).split()[1])


def ceilings(device: torch.device, precisions: Iterable[str], *, quick: bool) -> dict[str, float]:
    """Multiply-adds (counted as two) and bytes per second, in units of 1e9: the best of several tries."""
    side, length = (512, 2**22) if quick else (8192, 2**30) if device.type == "cuda" else (2048, 2**26)
    found = {}
    for precision in precisions:
        a = torch.rand(side, side, device=device, dtype=getattr(torch, precision))
        found[precision] = 2 * side**3 / best_of(20, partial(torch.matmul, a, a), device) / 1e9
    source = torch.rand(length // 4, device=device)
    target = torch.empty_like(source)
    found["copy"] = 2 * length / best_of(8, lambda: target.copy_(source), device) / 1e9
    return found


def best_of(tries: int, action: Callable[[], object], device: torch.device, patience: float = 5) -> float:
    """Seconds of the fastest try; fewer once `patience` seconds are over, as where bfloat16 is emulated."""
    taken: list[float] = []
    while len(taken) < tries and sum(taken) < patience:
        taken.append(seconds(action, device))
    return min(taken)


def costs(spec: NetworkSpec, size: tuple[int, ...]) -> dict[str, tuple[float, float]]:
    """Operations and least traffic of one image in units of 1e9, for training and inference; bytes in float32."""
    traffic = 0.0

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal traffic
        traffic += 4 * (inputs[0].numel() + output.numel())

    network = build_network(spec).to("meta")
    image = torch.empty(1, spec.in_channels, *size, device="meta")
    for module in network.modules():
        if isinstance(module, nn.modules.conv._ConvNd):
            module.register_forward_hook(count)
    found = {}
    for what in ("training", "inference"):
        with FlopCounterMode(display=False) as counter:
            logits = network(image)
            if what == "training":
                logits.sum().backward()
        found[what] = counter.get_total_flops()
    single = traffic / 2  # counted twice
    return {
        "training": (found["training"] / 1e9, 3 * single / 1e9),
        "inference": (found["inference"] / 1e9, single / 1e9),
    }

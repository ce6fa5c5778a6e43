"""How much faster is the engine than a textbook loop? `python -m benchmarks.train_speed [--quick]`

Both train the same network on the same images in this process: the textbook loop (eager, float32, channels first,
DataLoader, torch.optim.Adam with its defaults, evaluation under no_grad), and the engine (`multiresunet.training`,
what the pipeline runs), in float32 and in bfloat16. They take turns; each turn gives one ratio, and the table their
median and range, since other work on the machine slows both. Both have the same number of threads: all cores, or
--threads. Where other work takes the cores away altogether, `--clock process --threads 1` counts the process's own
seconds only.

Columns: images/s of the textbook and of the engine (medians), their ratio, what one step of each adds to memory at
most, and what share of the machine's measured ceilings the engine reaches: of a matrix multiplication (the network's
multiply-adds count), and of a copy (the least traffic there can be: each convolution reads its input and writes its
output once, and both gradients likewise).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from multiresunet import config
from multiresunet.config import Recipe
from multiresunet.data.dataset import PreparedDataset
from multiresunet.memory import keep_freed_memory
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.job import TrainJob
from multiresunet.training.trainer import Trainer, autocast
from multiresunet.training.validation import validate

NETWORKS = ("multiresunet", "unet", "unet_bn")
SIZES = {2: (256, 256), 3: (48, 64, 48)}
QUICK = {2: (64, 64), 3: (16, 32, 16)}
BATCHES = {"cpu": {2: (10, 4), 3: (2,)}, "cuda": {2: (32, 10, 128), 3: (8, 32)}}
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """What one row of the table is about."""

    network: str
    size: tuple[int, ...]
    batch: int
    precision: str
    what: str


@dataclass(frozen=True)
class Row:
    """One row of the table; images per second are medians over the turns, memory is in MiB."""

    case: Case
    turns: int
    textbook: float
    engine: float
    ratio: float
    ratio_low: float
    ratio_high: float
    textbook_memory: float
    engine_memory: float
    matrix_share: float
    copy_share: float


class Images(Dataset[tuple[Tensor, Tensor]]):
    """A prepared data set as tutorials write it."""

    def __init__(self, data: PreparedDataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.masks)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(self.data.images[index]).float() / 255
        return image, torch.from_numpy(self.data.masks[index]).float().unsqueeze(0)


class Textbook:
    """The loop of tutorials."""

    def __init__(self, spec: NetworkSpec, data: PreparedDataset, batch: int, device: torch.device) -> None:
        self.device = device
        self.model = build_network(spec).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)
        workers = {"num_workers": 4, "pin_memory": True, "persistent_workers": True} if device.type == "cuda" else {}
        self.loader = DataLoader(Images(data), batch_size=batch, shuffle=True, drop_last=True, **workers)  # type: ignore[arg-type]

    def train(self) -> Iterator[None]:
        """One step at a time, for ever."""
        while True:
            for image, mask in self.loader:
                self.model.train()
                x, y = image.to(self.device), mask.to(self.device)
                self.optimizer.zero_grad()
                loss = F.binary_cross_entropy_with_logits(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                loss.item()
                yield

    def evaluate(self) -> float:
        """Mean Jaccard index of all images."""
        self.model.eval()
        scores = []
        with torch.no_grad():
            for image, mask in self.loader:
                predicted = torch.sigmoid(self.model(image.to(self.device))) > 0.5
                truth = mask.to(self.device) > 0.5
                for p, t in zip(predicted, truth, strict=True):
                    scores.append(((p & t).sum() / (p | t).sum()).item())
        return float(np.mean(scores))


class Engine:
    """What the pipeline runs."""

    def __init__(self, spec: NetworkSpec, data: PreparedDataset, recipe: Recipe, device: torch.device) -> None:
        everything = np.arange(len(data.masks))
        self.recipe, self.everything, self.device = recipe, everything, device
        self.training = Trainer(
            TrainJob(
                spec=spec,
                data=data,
                train=everything,
                test=everything,
                recipe=recipe,
                epochs=10**6,
                threshold=0.5,
                seed=0,
                names=("speed",),
                devices=SingleDevice(device),
            )
        )

    def train(self) -> Iterator[None]:
        """One step at a time, for ever."""
        while True:
            yield from self.training.steps()
            self.training.step = 0

    def evaluate(self) -> float:
        """Mean Jaccard index of all images, as after each epoch."""
        training = self.training
        with autocast(self.recipe, self.device):
            _, jaccard, _ = validate(
                training.validated, training.loader, self.everything, self.recipe.batch, 0.5, training.loss
            )
        return float(jaccard.mean())


def noise(count: int, channels: int, size: tuple[int, ...]) -> PreparedDataset:
    """Random images with random masks: speed doesn't depend on what is in them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, *size), dtype=np.uint8)
    masks = rng.integers(0, 2, (count, *size), dtype=np.uint8)
    return PreparedDataset(images, masks, pd.DataFrame({"sample": range(count), "group": "", "fold": 0}))


def recipe_for(batch: int, precision: str) -> Recipe:
    """The paper's, with another batch and precision; on a GPU algorithms are free to be fast."""
    paper = config.load().recipes["paper"]
    return paper.model_copy(update={"batch": batch, "precision": precision, "deterministic": False})


def wait_for(device: torch.device) -> None:
    """Let the device end what it has been given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


CLOCKS = {"wall": time.perf_counter, "process": time.process_time}
clock: Callable[[], float] = CLOCKS["wall"]


def seconds(action: Callable[[], object], device: torch.device) -> float:
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


def ceilings(device: torch.device, *, quick: bool) -> dict[str, float]:
    """Multiply-adds (counted as two) and bytes per second, in units of 1e9: the best of several tries."""
    side, length = (512, 2**22) if quick else (8192, 2**30) if device.type == "cuda" else (2048, 2**26)
    found = {}
    for precision in ("float32", "bfloat16"):
        a = torch.rand(side, side, device=device, dtype=getattr(torch, precision))
        best = min(seconds(lambda a=a: a @ a, device) for _ in range(20))  # type: ignore[misc]
        found[precision] = 2 * side**3 / best / 1e9
    source = torch.rand(length // 4, device=device)
    target = torch.empty_like(source)
    found["copy"] = 2 * length / min(seconds(lambda: target.copy_(source), device) for _ in range(8)) / 1e9
    return found


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


def as_it_comes(device: torch.device, threads: int) -> None:
    """PyTorch's and glibc's own settings."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    keep_freed_memory(False)


def compare(
    spec: NetworkSpec,
    size: tuple[int, ...],
    batch: int,
    precisions: tuple[str, ...],
    device: torch.device,
    threads: int,
    turns: int,
    time_left: Callable[[], float],
    limits: dict[str, float],
) -> Iterator[Row]:
    """Let the sides take turns at one network, size and batch; stop early, but not before the second turn."""
    data = noise(2 * batch, spec.in_channels, size)
    steps = 2 if device.type == "cpu" else 20
    as_it_comes(device, threads)
    sides: dict[str, Textbook | Engine] = {"textbook": Textbook(spec, data, batch, device)}
    for precision in precisions:
        sides[precision] = Engine(spec, data, recipe_for(batch, precision), device)
    running = {name: side.train() for name, side in sides.items()}

    def settle(name: str) -> None:
        if name == "textbook":
            as_it_comes(device, threads)
        else:
            use_threads(threads, deterministic=False)

    memory = dict[tuple[str, str], float]()
    taken = dict[tuple[str, str], list[float]]()
    for name, side in sides.items():
        settle(name)
        memory["training", name] = added_memory(lambda name=name: next(running[name]), device)  # type: ignore[misc]
        memory["inference", name] = added_memory(side.evaluate, device)
        if device.type == "cuda":
            any(islice(running[name], 10))
        taken["training", name], taken["inference", name] = [], []
    order = cycle([list(sides), list(sides)[::-1]])
    for turn in range(turns):
        start = time.perf_counter()
        for name in next(order):
            settle(name)
            next(running[name])  # after settling, memory has to be taken from the system anew
            spent = seconds(lambda name=name: any(islice(running[name], steps)), device)  # type: ignore[misc]
            taken["training", name].append(steps * batch / spent)
            taken["inference", name].append(len(data.masks) / seconds(sides[name].evaluate, device))
        if turn > 0 and time_left() < time.perf_counter() - start:
            break
    for name, (operations, traffic) in costs(spec, size).items():
        for precision in precisions:
            textbook, engine = taken[name, "textbook"], taken[name, precision]
            ratios = [e / t for e, t in zip(engine, textbook, strict=True)]
            speed = statistics.median(engine)
            bytes_share = traffic * (0.5 if precision == "bfloat16" else 1) / limits["copy"]
            yield Row(
                Case(spec.name, size, batch, precision, name),
                len(ratios),
                statistics.median(textbook),
                speed,
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                memory[name, "textbook"],
                memory[name, precision],
                speed * operations / limits[precision],
                speed * bytes_share,
            )


def line(row: Row) -> str:
    """A row as text."""
    case = row.case
    size = "×".join(map(str, case.size))
    return (
        f"{case.network:13} {size:10} {case.batch:5} {case.precision:9} {case.what:10} {row.textbook:9.2f} "
        f"{row.engine:9.2f} {row.ratio:6.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f}) {row.textbook_memory:8.0f} "
        f"{row.engine_memory:7.0f} {row.matrix_share:7.0%} {row.copy_share:5.0%}"
    )


def main() -> None:
    """Print a line for each case, as soon as it is measured; write all to --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, networks and ceilings: does it run?")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--minutes", type=float, default=9, help="cases that don't fit in are left out, and named")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the CPU, for both sides")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--dims", nargs="+", type=int, choices=[2, 3], default=[2, 3])
    parser.add_argument("--batches", nargs="+", type=int, help="images at a time")
    parser.add_argument("--precisions", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    chosen = parser.parse_args()

    global clock
    clock = CLOCKS[chosen.clock]
    start = time.perf_counter()
    device = torch.device(chosen.device)
    torch.set_num_threads(chosen.threads)
    limits = ceilings(device, quick=chosen.quick)
    machine = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()} CPU",
        "threads": chosen.threads,
        "clock": chosen.clock,
        "torch": torch.__version__,
        "ceilings": limits,
    }
    print(f"{machine['device']}, {chosen.threads} CPU threads for both sides, {chosen.clock} time")
    print("ceilings: {float32:.0f} GFLOP/s float32, {bfloat16:.0f} bfloat16; copy {copy:.0f} GB/s".format(**limits))
    print(
        f"{'network':13} {'size':10} {'batch':>5} {'engine in':9} {'what':10} {'textbook':>9} {'engine':>9} "
        f"{'ratio':>6} {'(range)':14} {'MiB':>8} {'engine':>7} {'matrix':>7} {'copy':>5}",
        flush=True,
    )

    rows: list[Row] = []
    left_out = []
    longest = 0.0
    for dims in chosen.dims:
        size = (QUICK if chosen.quick else SIZES)[dims]
        for batch in chosen.batches or ([2] if chosen.quick else BATCHES[device.type][dims]):
            for name in chosen.networks:
                if name == "unet_bn" and dims == 3:
                    continue  # in 3-D U-Net has normalisation anyway
                before = time.perf_counter()
                time_left = 60 * chosen.minutes - (before - start)
                if time_left < longest:
                    left_out.append(f"{name} {dims}-D batch {batch}")
                    continue
                spec = NetworkSpec(name, dims, 3 if dims == 2 else 1, filters=4 if chosen.quick else 32)
                share = lambda before=before, time_left=time_left: time_left / 2 - (time.perf_counter() - before)  # noqa: E731
                with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
                    found = compare(
                        spec, size, batch, tuple(chosen.precisions), device, chosen.threads, chosen.turns, share, limits
                    )
                    for row in found:
                        print(line(row), flush=True)
                        rows.append(row)
                longest = max(longest, (time.perf_counter() - before) / 2)
    if left_out:
        print(f"left out, since {chosen.minutes:g} minutes are over: {', '.join(left_out)}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": machine, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How much faster is the engine than a textbook loop? `python -m benchmarks.train_speed [--quick]`

Both train the same network on the same images in this process: the textbook loop (eager, float32, channels first,
DataLoader, torch.optim.Adam with its defaults, evaluation under no_grad), and the engine (`multiresunet.training`,
what the pipeline runs), in float32 and in bfloat16. They take turns; each turn gives one ratio, and the table their
median and range, since other work on the machine slows both. Both have the same number of threads: all cores, or
--threads. Where other work takes the cores away altogether, `--clock process --threads 1` counts the process's own
seconds only.

Arithmetic is portable, or what MULTIRESUNET_ARITHMETIC says.

Columns: images/s of the textbook and of the engine (medians), their ratio, what one step of each adds to memory at
most, and what share of the machine's measured ceilings the engine reaches: of a matrix multiplication (the network's
multiply-adds count), and of a copy (the least traffic there can be: each convolution reads its input and writes its
output once, and both gradients likewise).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import torch

from benchmarks.ceilings import CLOCKS, added_memory, ceilings, costs, seconds
from benchmarks.sides import Engine, Textbook, noise, recipe_for, settle
from multiresunet import arithmetic
from multiresunet.nets import NetworkSpec
from multiresunet.registries import NETWORKS

SIZES = {2: (256, 256), 3: (48, 64, 48)}
QUICK = {2: (64, 64), 3: (16, 32, 16)}
BATCHES = {"cpu": {2: (10, 4), 3: (2,)}, "cuda": {2: (32, 10, 128), 3: (8, 32)}}


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


@dataclass(frozen=True)
class Setting:
    """What all cases have in common; `limits` are the machine's ceilings."""

    device: torch.device
    threads: int
    turns: int
    clock: Callable[[], float]
    limits: dict[str, float]


def compare(
    spec: NetworkSpec,
    size: tuple[int, ...],
    batch: int,
    precisions: tuple[str, ...],
    setting: Setting,
    time_left: Callable[[], float],
) -> Iterator[Row]:
    """Let the sides take turns at one network, size and batch; stop early, but not before the second turn."""
    device, threads, limits = setting.device, setting.threads, setting.limits
    data = noise(2 * batch, spec.in_channels, size)
    steps = 2 if device.type == "cpu" else 20
    settle("textbook", threads)
    sides: dict[str, Textbook | Engine] = {"textbook": Textbook(spec, data, batch, device)}
    for precision in precisions:
        sides[precision] = Engine(spec, data, recipe_for(batch, precision), device)
    running = {name: side.train() for name, side in sides.items()}
    memory = dict[tuple[str, str], float]()
    taken = dict[tuple[str, str], list[float]]()
    for name, side in sides.items():
        settle(name, threads)
        memory["training", name] = added_memory(partial(next, running[name]), device)
        memory["inference", name] = added_memory(side.evaluate, device)
        if device.type == "cuda":
            any(islice(running[name], 10))
        taken["training", name], taken["inference", name] = [], []
    order = cycle([list(sides), list(sides)[::-1]])
    for turn in range(setting.turns):
        start = time.perf_counter()
        for name in next(order):
            settle(name, threads)
            next(running[name])  # after settling, memory has to be taken from the system anew
            spent = seconds(partial(any, islice(running[name], steps)), device, setting.clock)
            taken["training", name].append(steps * batch / spent)
            taken["inference", name].append(len(data.masks) / seconds(sides[name].evaluate, device, setting.clock))
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


def left_of(allowed: float, since: float) -> float:
    """Seconds that are left of those allowed."""
    return allowed - (time.perf_counter() - since)


def main() -> None:
    """Print a line for each case, as soon as it is measured; write all to --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, networks and ceilings: does it run?")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--minutes", type=float, default=9, help="cases that don't fit in are left out, and named")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the CPU, for both sides")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["multiresunet", "unet", "unet_bn"])
    parser.add_argument("--dims", nargs="+", type=int, choices=[2, 3], default=[2, 3])
    parser.add_argument("--side", type=int, help="pixels of an image along each axis")
    parser.add_argument("--filters", type=int, help="U of the first level")
    parser.add_argument("--batches", nargs="+", type=int, help="images at a time")
    parser.add_argument("--precisions", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    chosen = parser.parse_args()

    start = time.perf_counter()
    device = torch.device(chosen.device)
    torch.set_num_threads(chosen.threads)
    limits = ceilings(device, chosen.precisions, quick=chosen.quick)
    setting = Setting(device, chosen.threads, chosen.turns, CLOCKS[chosen.clock], limits)
    machine = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()} CPU",
        "threads": chosen.threads,
        "clock": chosen.clock,
        "arithmetic": arithmetic.in_use(),
        "torch": torch.__version__,
        "ceilings": limits,
    }
    print(
        f"{machine['device']}, {chosen.threads} CPU threads for both sides, {chosen.clock} time, "
        f"{arithmetic.in_use()} arithmetic"
    )
    matrix = ", ".join(f"{limits[name]:.0f} {name}" for name in chosen.precisions)
    print(f"ceilings in GFLOP/s: {matrix}; copy {limits['copy']:.0f} GB/s")
    print(
        f"{'network':13} {'size':10} {'batch':>5} {'engine in':9} {'what':10} {'textbook':>9} {'engine':>9} "
        f"{'ratio':>6} {'(range)':14} {'MiB':>8} {'engine':>7} {'matrix':>7} {'copy':>5}",
        flush=True,
    )

    rows: list[Row] = []
    left_out = []
    longest = 0.0
    for dims in chosen.dims:
        size = (chosen.side,) * dims if chosen.side else (QUICK if chosen.quick else SIZES)[dims]
        for batch in chosen.batches or ([2] if chosen.quick else BATCHES[device.type][dims]):
            for name in chosen.networks:
                if dims == 3 and "of_volumes" in NETWORKS.entries[name].facts:
                    continue  # in 3-D it is another one of these
                before = time.perf_counter()
                time_left = 60 * chosen.minutes - (before - start)
                if time_left < longest:
                    left_out.append(f"{name} {dims}-D batch {batch}")
                    continue
                spec = NetworkSpec(
                    name, dims, 3 if dims == 2 else 1, filters=chosen.filters or (4 if chosen.quick else 32)
                )
                share = partial(left_of, time_left / 2, before)
                with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
                    for row in compare(spec, size, batch, tuple(chosen.precisions), setting, share):
                        print(line(row), flush=True)
                        rows.append(row)
                longest = max(longest, (time.perf_counter() - before) / 2)
    if left_out:
        print(f"left out, since {chosen.minutes:g} minutes are over: {', '.join(left_out)}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": machine, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Do the data stages stay flat in memory and linear in time? `python -m benchmarks.preprocess_scale 2000 20000`

Generates N pairs of 256×256 PNG files in a temporary folder, and runs fetch, validate and preprocess on them as DVC
does; prints each stage's seconds of processor time for 1,000 images, less what it takes to start (on 16 images), and
the peak of resident memory of all its processes together.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import yaml
from PIL import Image

from multiresunet.data.sources import folder

ROOT = Path(__file__).parents[1]
NAME = "noise"
STAGES = ("fetch", "validate", "preprocess")


def generate(place: Path, count: int) -> None:
    """Write images/<n>.png and masks/<n>.png: smooth noise, and where it is bright."""
    for role in ("images", "masks"):
        (place / role).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8))
        image = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))
        Image.fromarray(image).save(place / f"images/{index:07d}.png", compress_level=1)
        Image.fromarray(np.where(image > 150, 255, 0).astype(np.uint8)).save(place / f"masks/{index:07d}.png")


def declare(place: Path) -> None:
    """Write params.yaml with the folder as its data set, at full size, and the suites of expectations."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    source = {"kind": "folder", "path": NAME, "digest": folder.digest(folder.scan(place / "data/incoming" / NAME))}
    entry = params["datasets"]["nuclei"] | {"source": source, "size": [256, 256]}
    params["datasets"] = {NAME: entry}
    params["run"] = {
        "datasets": [NAME],
        "models": ["unet"],
        "recipe": "paper",
        "seeds": [1],
        "tuned": {"datasets": [], "models": []},
    }
    (place / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (place / "expectations").symlink_to(ROOT / "expectations")


def measure(place: Path, stage: str) -> tuple[float, float]:
    """Run one stage there; seconds of its processor time, and MiB of resident memory at most."""
    peak, before = 0.0, processor_time()
    command = [sys.executable, "-m", f"stages.{stage}", NAME]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(psutil.Process(process.pid)))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{stage} failed")
    return processor_time() - before, peak / 2**20


def processor_time() -> float:
    """Seconds that ended children have used: unlike the clock's, the same beside other busy processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident(process: psutil.Process) -> int:
    """Bytes of a process and its children; what they share counts more than once."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measured(count: int) -> list[tuple[float, float]]:
    """Seconds and MiB of each stage on a fresh folder of so many images."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        generate(place / "data/incoming" / NAME, count)
        declare(place)
        return [measure(place, stage) for stage in STAGES]


def main() -> None:
    """Measure each size that the command line names."""
    twice = (measured(16), measured(16))  # the first may have to read libraries from disk
    starts = [min(first, second) for (first, _), (second, _) in zip(*twice, strict=True)]
    print("start: " + ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in zip(STAGES, starts, strict=True)))
    print(f"{'images':>9} " + " ".join(f"{stage:>10} s/1,000 {'MiB':>6}" for stage in STAGES), flush=True)
    for count in map(int, sys.argv[1:] or ["2000", "20000"]):
        line = f"{count:9,d}"
        for (seconds, peak), start in zip(measured(count), starts, strict=True):
            line += f" {1000 * (seconds - start) / count:18.2f} {peak:6.0f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""Does preprocess stay flat in memory and linear in time? `python benchmarks/preprocess_scale.py 2000 20000`

Generates N pairs of 256×256 PNG files in a temporary folder, and for each N prepares them in a process of its
own; prints seconds for 1,000 images, and the process's peak of resident memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
ENTRY = {
    "modality": "noise",
    "source": {"kind": "folder", "path": "noise", "digest": "0" * 64},
    "size": [256, 256],
    "channels": 1,
    "fit": "resize",
    "normalisation": "unit",
    "mask": {"values": [0, 255], "foreground": [255]},
    "groups": False,
}


def generate(folder: Path, count: int) -> None:
    """Write images/<n>.png and masks/<n>.png: smooth noise, and where it is bright."""
    from PIL import Image

    for role in ("images", "masks"):
        (folder / role).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8))
        image = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))
        Image.fromarray(image).save(folder / f"images/{index:07d}.png", compress_level=1)
        Image.fromarray(np.where(image > 150, 255, 0).astype(np.uint8)).save(folder / f"masks/{index:07d}.png")


def measure(folder: Path) -> None:
    """Prepare the folder, and print seconds for 1,000 images and MiB of peak resident memory."""
    from multiresunet.data.arrays import prepare
    from multiresunet.data.manifest import Sample
    from multiresunet.params import Dataset

    names = sorted(path.stem for path in (folder / "images").iterdir())
    samples = [Sample(name, f"images/{name}.png", f"masks/{name}.png") for name in names]
    (folder / "out").mkdir()
    start = time.perf_counter()
    prepare(folder, samples, [0] * len(samples), Dataset.model_validate(ENTRY), (256, 256), folder / "out")
    seconds = time.perf_counter() - start
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"{len(samples):9,d} {1000 * seconds / len(samples):14.2f} {peak:9.0f}", flush=True)


def main() -> None:
    """Generate and measure each size that the command line names."""
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
        return
    print(f"{'images':>9} {'s / 1,000':>14} {'peak MiB':>9}", flush=True)
    for count in map(int, sys.argv[1:] or ["2000", "20000"]):
        with tempfile.TemporaryDirectory() as place:
            generate(Path(place), count)
            command = [sys.executable, "-m", "benchmarks.preprocess_scale", "--measure", place]
            subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()

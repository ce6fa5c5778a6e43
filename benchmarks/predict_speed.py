"""How fast is `predict`, beside a textbook loop and ONNX Runtime? `python -m benchmarks.predict_speed [--quick]`

Two jobs: a folder of PNGs of 256×256, and one image of 4096×4096 (a TIFF, by windows of 512). All ways read the same
files, write masks, and have the same network and number of threads:

- predict: what `multiresunet predict` does, with all its checks, hashes and figures; `--how tiles` for the large image;
  in the CPU's own arithmetic, as the others, if MULTIRESUNET_ARITHMETIC=native is set; else in portable arithmetic.
- predict, portable: the same as the command does by default, with AVX2 alone (docs/reproducibility.md); the folder.
- textbook: the network as it is, under no_grad, image by image; windows by MONAI's `sliding_window_inference`, half
  overlapping and weighted by Gaussians, as nnU-Net does.
- onnx: the same loop around ONNX Runtime; needs onnx and onnxruntime.

They take turns; each turn gives a ratio, and the table has the median and the range. Loading is not counted.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from multiresunet.config import MaskRule
from multiresunet.data.description import DataDescription
from multiresunet.files import sha256
from multiresunet.inference.batch import Request, run
from multiresunet.inference.description import ModelDescription, NetworkDescription
from multiresunet.inference.inputs import found
from multiresunet.inference.loading import load_model
from multiresunet.inference.model import Model, Options
from multiresunet.inference.packages.graph import tracing
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training import checkpoint

SIDE, LARGE, WINDOW, IMAGES = 256, 4096, 512, 16
PREDICT, PORTABLE = "predict", "predict, portable"
ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))

Logits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One row of the table: images per second, medians of the turns; how many times as fast as `textbook`."""

    job: str
    way: str
    images_per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float


def trained(folder: Path, spec: NetworkSpec, side: int) -> Path:
    """A trained folder with random weights, of a data set of images of `side` pixels."""
    folder.mkdir()
    file = folder / "fold0-last.safetensors"
    checkpoint.save(file, spec, build_network(spec, torch.Generator().manual_seed(1)).state_dict())
    data = DataDescription(
        name="drawn",
        modality="drawn",
        size=(side, side),
        fit="resize",
        normalisation="rescale",
        channels=spec.in_channels,
        mask=MaskRule(values=[0, 255], foreground=[255]),
        images=IMAGES,
        scale=(1.0, 1.0),
        sides=((side, side), (side, side)),
        intensity=dict.fromkeys(("minimum", "maximum", "mean", "deviation"), (0.0, 255.0)),
    )
    network = NetworkDescription(file=file.name, sha256=sha256(file), spec=spec.as_dict())
    words: dict[str, Any] = {"model": spec.name, "data": data, "networks": {"0": network}, "threshold": 0.5}
    ModelDescription(**words, jaccard=0.0, jaccard_sd=0.0, recipe={}, seed=1, digests={}).write(folder)
    return folder


def draw(folder: Path, images: int, side: int, large: int) -> None:
    """Noise in colours, as PNGs and as one large TIFF."""
    rng = np.random.default_rng(1)
    (folder / "pngs").mkdir()
    for number in range(images):
        Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"pngs/{number:03}.png")
    tifffile.imwrite(
        folder / "large.tif", rng.integers(0, 256, (large, large, 3), np.uint8), photometric="rgb", tile=(256, 256)
    )


def batch_of(array: NDArray[Any]) -> Tensor:
    """H×W×3 of 8 bits as 1×3×H×W floats."""
    return torch.from_numpy(array).permute(2, 0, 1)[None].float().div(255)


def loop_over_files(network: Logits, folder: Path, out: Path) -> None:
    """The textbook: read, predict, write, one PNG after the other."""
    out.mkdir(parents=True)
    with torch.no_grad():
        for path in sorted(folder.glob("*.png")):
            mask = torch.sigmoid(network(batch_of(np.array(Image.open(path).convert("RGB"))))) >= 0.5
            Image.fromarray(mask[0, 0].numpy().astype(np.uint8) * 255).save(out / path.name)


def loop_over_windows(network: Logits, path: Path, out: Path, window: int) -> None:
    """The textbook of large images: half-overlapping windows, weighted by Gaussians."""
    out.mkdir(parents=True)
    with torch.no_grad():
        logits = sliding_window_inference(
            batch_of(tifffile.imread(path)), (window, window), 1, network, overlap=0.5, mode="gaussian"
        )
        assert isinstance(logits, Tensor)
        mask = torch.sigmoid(logits) >= 0.5
    tifffile.imwrite(out / path.name, mask[0, 0].numpy().astype(np.uint8) * 255, compression="zlib")


def exported(network: nn.Module, path: Path, threads: int) -> Logits:
    """The network in ONNX Runtime."""
    onnxruntime: Any = importlib.import_module("onnxruntime")  # which may be missing, and has no types
    axes = {0: "n", 2: "height", 3: "width"}
    with tracing():
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 72, 88),),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": axes, "logits": axes},
            opset_version=17,
            dynamo=False,
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    running = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(running.run(None, {"image": images.numpy()})[0])


def by_predict(model: Model, path: Path, out: Path, how: Any) -> None:
    """What the command does."""
    outcome = run(model, found([str(path)], out), Request(out, options=Options(how)))
    assert not outcome.failed, outcome.failed


def by_predict_in_portable(folder: Path, source: Path, out: Path, threads: int) -> float:
    """The same in a process of portable arithmetic; seconds, without those of loading."""
    code = (
        "import sys, time, torch; from pathlib import Path; from benchmarks import predict_speed as b\n"
        "folder, source, out, threads = sys.argv[1:]\n"
        "torch.set_num_threads(int(threads)); model = b.load_model(folder, device=torch.device('cpu'))\n"
        "since = time.perf_counter(); b.by_predict(model, Path(source), Path(out), 'trained')\n"
        "print(time.perf_counter() - since)"
    )
    command = [sys.executable, "-c", f"from multiresunet import arithmetic; arithmetic.use('portable')\n{code}"]
    words = map(str, (folder, source, out, threads))
    return float(subprocess.run([*command, *words], check=True, stdout=subprocess.PIPE, text=True).stdout)


def rows_of(job: str, images: int, seconds: dict[str, list[float]]) -> list[Row]:
    """Medians of the turns."""
    rows = []
    for way, own in seconds.items():
        ratios = [textbook / one for textbook, one in zip(seconds["textbook"], own, strict=True)]
        speed = images / statistics.median(own)
        rows.append(Row(job, way, speed, statistics.median(ratios), min(ratios), max(ratios)))
    return rows


def measure(words: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows."""
    side, large, window, images = (64, 256, 64, 4) if words.quick else (SIDE, LARGE, WINDOW, IMAGES)
    draw(folder, images, side, large)
    rows: list[Row] = []
    for filters, turns, count, how in ((words.filters, words.turns, images, "trained"), (words.large, 1, 1, "tiles")):
        source = folder / ("pngs" if how == "trained" else "large.tif")
        spec = NetworkSpec("multiresunet", 2, 3, filters=filters, alpha=1.67)
        model = load_model(trained(folder / f"model-{how}", spec, side), device=torch.device("cpu"))
        network = checkpoint.load(model.folder / "fold0-last.safetensors").eval()
        ways: dict[str, Logits] = {"textbook": network}
        if ONNX:
            ways["onnx"] = exported(network, model.folder / "model.onnx", words.threads)
        job = f"{count} PNGs, {side}×{side}" if how == "trained" else f"one image, {large}×{large}"
        seconds: dict[str, list[float]] = {
            way: [] for way in (*ways, PREDICT, *([PORTABLE] if how == "trained" else []))
        }
        for turn in range(turns):
            for way, taken in seconds.items():
                out = folder / f"{how}-{way}-{turn}"
                since = time.perf_counter()
                if way == PREDICT:
                    by_predict(model, source, out, how)
                elif way == PORTABLE:
                    taken.append(by_predict_in_portable(model.folder, source, out, words.threads))
                elif how == "trained":
                    loop_over_files(ways[way], source, out)
                else:
                    loop_over_windows(ways[way], source, out, window)
                if way != PORTABLE:
                    taken.append(time.perf_counter() - since)
                print(f"{job}: {way} {taken[-1]:.2f} s", flush=True)
        rows += rows_of(f"{job}; {filters} filters", count, seconds)
    return rows


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny images: does it run?")
    parser.add_argument("--filters", type=int, default=32, help="of the first level, for the folder")
    parser.add_argument("--large", type=int, default=8, help="of the first level, for the large image")
    parser.add_argument("--turns", type=int, default=3, help="of the folder; the large image has one")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the rows into this file, too")
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(words, Path(folder))
    print(f"MultiResUNet, {words.threads} threads\n\n| | | images/s | times the textbook |")
    print("|---|---|---|---|")
    for row in rows:
        between = f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"
        print(f"| {row.job} | {row.way} | {row.images_per_second:.3g} | {between} |")
    if not ONNX:
        print("\nonnx wasn't measured: pip install onnx onnxruntime")
    if words.json:
        words.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()

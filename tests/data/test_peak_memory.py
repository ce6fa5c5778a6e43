"""What one large file costs in memory, on its way from `data add` to the arrays: a few times its own size."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile

from multiresunet import config
from multiresunet.data import preview, scanning
from multiresunet.data.preprocessing import prepare
from multiresunet.data.profile import profile
from multiresunet.data.sources.folder import scan
from multiresunet.report.dataset_page import picture
from tests.data.making import declared

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TILE = 1_008
TIMES = 6  # peak memory, in sizes of the decoded file


def volume(place: Path, shape: tuple[int, int, int], kind: str) -> None:
    """A scan of 16 bits, stored so that it has to be turned."""
    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 1000, shape, dtype=np.int16)
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(side // 4, side // 2) for side in shape)] = 1
    for role, each in (("images", array), ("masks", mask)):
        nibabel.save(nibabel.Nifti1Image(each, np.diag([-0.8, 0.8, 2.5, 1])), place / role / f"a.{kind}")


def slide(place: Path, tiles: int) -> int:
    """A picture of 8 bits, compressed, with marked squares, so many tiles wide and high; its bytes once decoded."""
    side = tiles * TILE
    for role, ground, mark in (("images", 90, 200), ("masks", 0, 255)):
        empty, marked = np.full((TILE, TILE), ground, np.uint8), np.full((TILE, TILE), ground, np.uint8)
        marked[100:900, 100:900] = mark
        tifffile.imwrite(
            place / role / "a.tif",
            (marked if number % 7 == 0 else empty for number in range(tiles**2)),
            shape=(side, side),
            dtype=np.uint8,
            tile=(TILE, TILE),
            compression="zlib",
        )
    return side**2


def child(place: Path, kind: str) -> dict[str, float]:
    """Peak memory of each step beyond what modules and a small data set take, in bytes."""
    entry: dict[str, Any] = {"size": [64, 64], "normalisation": "rescale", "mask": {"above": 0}}
    if kind == "volume":
        entry = {"size": [64, 64, 48], "normalisation": "zscore", "mask": {"values": [0, 1], "foreground": [1]}}
    dataset, recipe = declared(**entry), config.load(ROOT / "params.yaml").recipes["quick"]

    def steps(folder: Path) -> dict[str, Callable[[], object]]:
        samples = scan(folder)
        (folder / "out").mkdir()
        return {
            "look": lambda: scanning.look(folder, samples, dataset.mask, None),
            "preview": lambda: preview.losses(folder, samples, dataset, recipe),
            "picture": lambda: picture(folder, samples[0], dataset),
            "profile": lambda: profile(folder, samples, dataset),
            "prepare": lambda: prepare(folder, samples, [0], dataset, tuple(dataset.size), folder / "out"),
        }

    for step in steps(place / "small").values():
        step()
    found = {}
    before = peak()
    for name, step in steps(place / "large").items():
        step()
        found[name] = peak() - before
    return found


def peak() -> int:
    """The kernel's high-water mark; `ru_maxrss` would be that of the process that has started this one, too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def measured(place: Path, kind: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.data.test_peak_memory", str(place), kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def folders(place: Path) -> None:
    for size in ("small", "large"):
        for role in ("images", "masks"):
            (place / size / role).mkdir(parents=True)


@pytest.mark.parametrize("kind", ["nii", "nii.gz"])
def test_a_volume_costs_six_times_its_size_at_most(tmp_path: Path, kind: str) -> None:
    folders(tmp_path)
    shape = (256, 256, 256)
    volume(tmp_path / "small", (16, 16, 16), kind)
    volume(tmp_path / "large", shape, kind)
    decoded = 2 * np.prod(shape)
    times = {step: round(float(took / decoded), 2) for step, took in measured(tmp_path, "volume").items()}
    assert max(times.values()) <= TIMES, times


@pytest.mark.parametrize("tiles", [6, 20])  # 6,048 and 20,160 pixels wide
def test_a_slide_costs_six_times_its_size_at_most(tmp_path: Path, tiles: int) -> None:
    folders(tmp_path)
    slide(tmp_path / "small", 1)
    decoded = slide(tmp_path / "large", tiles)
    times = {step: round(took / decoded, 2) for step, took in measured(tmp_path, "slide").items()}
    assert max(times.values()) <= TIMES, times


if __name__ == "__main__":
    print(json.dumps(child(Path(sys.argv[1]), sys.argv[2])))

"""The real training stage on two devices: it gives what one gives, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from tests.discs import discs
from tests.tuning.making import write_prepared

ROOT = Path(__file__).parents[2]
TRAIN = [sys.executable, "-m", "stages.train", "nuclei", "unet_bn"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def project(folder: Path, devices: int, epochs: int) -> Path:
    """A folder in which the stages before training have run, as far as it can tell."""
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["run"] = {
        "datasets": ["nuclei"],
        "models": ["unet_bn"],
        "recipe": "quick",
        "seeds": [1],
        "tuned": {"datasets": [], "models": []},
    }
    # Without Adam's division of small gradients by themselves, which blows rounding up.
    optimiser = {"name": "adam", "learning_rate": 0.1, "epsilon": 0.1}
    tree["recipes"]["quick"] |= {"updates": None, "epochs": epochs, "filters": 4, "optimiser": optimiser}
    tree["recipes"]["quick"]["folds"]["count"] = 2
    tree["machine"]["devices"] = devices
    data = discs(11, (32, 32), 1, 2)
    prepared = folder / "data/prepared/nuclei"
    prepared.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    write_prepared(prepared, data)
    return folder


def started(folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """The stage, and the file into which it writes."""
    log = folder / "log"
    with log.open("wb") as file:
        return subprocess.Popen(TRAIN, cwd=folder, env=ENVIRONMENT, stdout=file, stderr=file), log


def wait_for(what: Callable[[], object], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_two_devices_give_what_one_gives(tmp_path: Path) -> None:
    histories, files = [], []
    for devices in (1, 2):
        folder = project(tmp_path / str(devices), devices, epochs=4)
        process, log = started(folder)
        assert process.wait(900) == 0, log.read_text()
        made = folder / "data/trained/nuclei/unet_bn/1"
        files.append(sorted(path.name for path in made.iterdir()))
        histories.append(pd.read_csv(made / "history.csv"))
        assert not any((folder / ".state/train").iterdir())
    one, two = histories
    assert files[0] == files[1]
    assert len(one) == len(two) == 2 * 4
    np.testing.assert_allclose(two["train_loss"], one["train_loss"], rtol=1e-3)
    # Rounding grows from step to step: on a CPU with AVX2 a single value is 0.011 apart. On average they must be close.
    apart = (two["test_jaccard"] - one["test_jaccard"]).abs()
    assert apart.max() < 0.02
    assert apart.mean() < 0.003
    assert one["test_jaccard"].std() > 0.02  # there is something to agree on


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["at once", "in training"])
def test_a_signal_to_the_first_ends_both(number: signal.Signals, moment: str, tmp_path: Path) -> None:
    process, log = started(project(tmp_path, 2, epochs=100_000))
    first = psutil.Process(process.pid)
    wait_for(first.children)
    others = first.children(recursive=True)
    if moment == "in training":
        wait_for(lambda: " epoch " in log.read_text())
    process.send_signal(number)
    status = process.wait(300)
    _, alive = psutil.wait_procs(others, timeout=300)
    for other in alive:
        other.kill()
    assert not alive
    assert status in (128 + number, -number)
    if (number, moment) == (signal.SIGTERM, "in training"):
        assert f"by signal {number.value}; the state from before is in" in log.read_text()

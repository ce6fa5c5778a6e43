"""kill_resume DATASET MODEL KILLS: train twice, once undisturbed and once killed many times; compare the bytes.

Trains by the recipe in run.recipe on data/prepared/DATASET, as `python -m stages.train` does, in folders of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from multiresunet import config
from multiresunet.files import sha256
from multiresunet.paths import PREPARED, TUNED, trained
from stages import train as stage
from stages.running import run

FORK = multiprocessing.get_context("fork")  # a resumed run shouldn't pay for imports


def start(folder: Path, dataset: str, model: str) -> BaseProcess:
    """The train stage, in a process of its own, in `folder`."""

    def work() -> None:
        os.chdir(folder)
        with (folder / "output").open("a") as output:
            sys.stdout = sys.stderr = output
            sys.argv = ["train", dataset, model]
            run(stage.train)

    process = FORK.Process(target=work)
    process.start()
    return process


def workplace(folder: Path) -> Path:
    """A folder with this one's params.yaml and data, and room for what training makes."""
    for name in ("params.yaml", PREPARED, TUNED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(Path(name).resolve())
    return folder


def compare(dataset: str, model: str, kills: int) -> bool:
    """Print what was killed when, and each output's SHA-256; whether all outputs are the same."""
    with tempfile.TemporaryDirectory() as place:
        calm, killed = workplace(Path(place) / "calm"), workplace(Path(place) / "killed")
        since = time.monotonic()
        process = start(calm, dataset, model)
        process.join()
        taken = time.monotonic() - since
        if process.exitcode:
            sys.exit((calm / "output").read_text())
        print(f"{dataset} {model}, recipe {config.load().run.recipe}: undisturbed in {taken:.0f} s", flush=True)

        moments, done = np.random.default_rng().uniform(0, 2 * taken / (kills + 1), kills), 0
        for moment in moments:
            process = start(killed, dataset, model)
            process.join(moment)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            done += 1
            print(f"kill {done} after {moment:.1f} s", flush=True)
        else:
            process = start(killed, dataset, model)
            process.join()
        if process.exitcode:
            sys.exit((killed / "output").read_text())

        same, made = True, trained(dataset, model, config.load().run.seed(None))
        for path in sorted((calm / made).iterdir()):
            ours, other = sha256(path), sha256(killed / made / path.name)
            same &= ours == other
            print(f"{path.name}: {ours[:16]} {'=' if ours == other else '≠'} {other[:16]}")
        print(f"{done} kills: {'all bytes are the same' if same else 'THE BYTES DIFFER'}")
    return same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    parser.add_argument("kills", type=int)
    words = parser.parse_args()
    sys.exit(0 if compare(words.dataset, words.model, words.kills) else 1)

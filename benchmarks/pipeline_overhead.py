"""What of the pipeline isn't computing: `python -m benchmarks.pipeline_overhead [--json FILE]`

Times, each as the best of several: importing what stages import, starting each stage (all its imports), asking DVC
what is stale, and a `dvc repro` that has nothing to do; the last is left out where something is stale.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

MODULES = (
    "multiresunet.config",
    "torch",
    "multiresunet.nets",
    "multiresunet.training.fit",
    "monai.losses.dice",
    "great_expectations",
    "prefect",
)


def best(command: list[str], times: int) -> float:
    """Seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, text=True)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    """Print a line for each, and what is left when Python's own start is taken off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()

    python = best([sys.executable, "-c", ""], chosen.times)
    print(f"{'Python itself':45} {python:6.2f} s", flush=True)
    found = {"python": python}

    def show(name: str, command: list[str], own: float) -> None:
        found[name] = best(command, chosen.times) - own
        print(f"{name:45} {found[name]:6.2f} s", flush=True)

    for module in MODULES:
        show(f"import {module}", [sys.executable, "-c", f"import {module}"], python)
    for stage in sorted(path.stem for path in Path("stages").glob("*.py") if path.stem not in ("__init__", "running")):
        show(f"start stages.{stage}", [sys.executable, "-c", f"import stages.{stage}"], python)
    dvc = [sys.executable, "-m", "dvc"]
    show("dvc status", [*dvc, "status"], 0.0)
    status = subprocess.run([*dvc, "status", "--json"], capture_output=True, text=True)
    if status.returncode == 0 and json.loads(status.stdout or "{}") == {}:
        show("dvc repro with nothing to do", [*dvc, "repro"], 0.0)
    else:
        print("dvc repro: something is stale here, so it isn't timed; run it once before")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

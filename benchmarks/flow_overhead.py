"""What the flow costs: `python benchmarks/flow_overhead.py [--json]`.

Two figures, each beside what it's compared with, from one run on this machine:

- efficiency, two stages at a time: thirty independent stages of 1 s, and one that needs them; ideal is 15 · 1 s. Of the
  whole command, and without what ten such stages take, so that its start, which is Prefect's for the most part, and its
  end fall out
- overhead over `dvc repro` when 30 stages are up to date: the whole command, minus the whole of `dvc repro`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 1
STAGES, FEWER = 30, 10
UP_TO_DATE = 30


def project(folder: Path, stages: int, seconds: float) -> dict[str, str]:
    """Write a DVC project of `stages` that sleep, and `report`, which needs them all; its environment."""
    names = [f"s{number:02}" for number in range(stages)]
    files = {
        ".gitignore": "/data/\n",
        "params.yaml": json.dumps({"run": {"datasets": names}}),
        "dvc.yaml": """
stages:
  train:
    matrix: {dataset: "${run.datasets}"}
    cmd: python -m stages.sleep ${item.dataset}
    deps: [stages/sleep.py]
    outs: ["data/trained/${item.dataset}"]
  report:
    cmd: mkdir -p metrics && ls data/trained > metrics/summary.csv
    deps: [data/trained]
    outs: [metrics/summary.csv: {cache: false}]
""",
        "stages/__init__.py": "",
        "stages/fetch.py": "",
        "stages/sleep.py": f"""
import sys, time
from pathlib import Path
time.sleep({seconds})
Path("data/trained").mkdir(parents=True, exist_ok=True)
Path("data/trained", sys.argv[1]).write_text(sys.argv[1])
""",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "DVC_NO_ANALYTICS": "1",
    }
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, env=environment, check=True)
    return environment


def timed(folder: Path, environment: dict[str, str], *words: str) -> tuple[float, float]:
    """Seconds that `python -m WORDS` takes: by the clock, and of the processor (the same on a busy machine)."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment, check=True, capture_output=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def measure() -> dict[str, float]:
    """Both figures, and what they're made of, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        idle = Path(name, "idle")
        environment = project(idle, UP_TO_DATE, 0)
        timed(idle, environment, "dvc", "repro")
        repro, repro_used = timed(idle, environment, "dvc", "repro")
        again, again_used = timed(idle, environment, "flows.pipeline")
        flow, fewer = (_side_by_side(Path(name, str(stages)), stages) for stages in (STAGES, FEWER))
    ideal = SECONDS * STAGES / 2
    return {
        "ideal_s": ideal,
        "flow_s": flow,
        "efficiency": ideal / flow,
        "efficiency_without_start": SECONDS * (STAGES - FEWER) / 2 / (flow - fewer),
        "overhead_per_stage_s": (flow - ideal) / STAGES,
        "repro_s": repro,
        "flow_up_to_date_s": again,
        "overhead_s": again - repro,
        "overhead_processor_s": again_used - repro_used,
        "load_average": os.getloadavg()[0],
    }


def _side_by_side(folder: Path, stages: int) -> float:
    environment = project(folder, stages, SECONDS)
    return timed(folder, environment, "flows.pipeline", "--cores", "2")[0]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    found = measure()
    if words.json:
        print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=2))
        return
    print(
        f"{STAGES} stages of {SECONDS} s, two at a time: {found['flow_s']:.1f} s, ideal {found['ideal_s']:.0f} s;",
        end=" ",
    )
    print(
        f"efficiency {found['efficiency']:.2f}, without start and end {found['efficiency_without_start']:.2f},", end=" "
    )
    print(f"overhead {found['overhead_per_stage_s']:.2f} s a stage")
    print(f"{UP_TO_DATE} stages up to date: flow {found['flow_up_to_date_s']:.1f} s, ", end="")
    print(f"`dvc repro` {found['repro_s']:.1f} s; overhead {found['overhead_s']:.1f} s, ", end="")
    print(f"{found['overhead_processor_s']:.1f} s of processor time")
    print(f"Load average at the end: {found['load_average']:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

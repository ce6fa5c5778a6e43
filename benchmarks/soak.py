"""Run a tiny pipeline 200 times in a row in one process, and see what grows: `python -m benchmarks.soak`.

Each run makes one stage stale, runs it, and shows its tables in Prefect's UI, on one server for all. What may not grow
after the first tenth of the runs: open files, threads and processes; files in .state and .dvc/tmp; memory, beyond what
Python's allocator keeps (10 %).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PROJECT = {
    ".gitignore": "/data/\n/.state/\n",
    "dvc.yaml": """
stages:
  train:
    cmd: python -m stages.train
    params: [number]
    outs: [data/trained]
  report:
    cmd: python -m stages.report
    deps: [data/trained]
    outs: [metrics/summary.csv: {cache: false}]
""",
    "stages/__init__.py": "",
    "stages/train.py": """
from pathlib import Path
Path("data").mkdir(exist_ok=True)
Path("data/trained").write_text(Path("params.yaml").read_text())
print("fold 1/1 epoch 1/1 loss 0")
""",
    "stages/report.py": """
from pathlib import Path
Path("metrics").mkdir(exist_ok=True)
Path("metrics/summary.csv").write_text("dataset,jaccard\\na," + Path("data/trained").read_text().split()[1] + "\\n")
""",
}
MIB = 2**20
GROWTH = 1.1  # of memory, which is no growth


@dataclass(frozen=True)
class Taken:
    """What is taken after some runs; sizes in bytes."""

    open_files: int
    threads: int
    processes: int
    memory: int
    server_memory: int
    state_files: int
    state_bytes: int
    tmp_files: int
    tmp_bytes: int
    prefect_bytes: int

    def grown(self, later: Taken) -> list[str]:
        """What is more later, and may not be."""
        names = ("open_files", "threads", "processes", "state_files", "tmp_files")
        found = [name for name in names if getattr(later, name) > getattr(self, name)]
        return found + [n for n in ("memory", "server_memory") if getattr(later, n) > GROWTH * getattr(self, n)]


def create(folder: Path) -> None:
    """Write the project and go there."""
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    os.chdir(folder)
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PREFECT_HOME": str(folder.parent / "prefect"),
        "DVC_SITE_CACHE_DIR": str(folder.parent / "dvc"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    os.environ.update(own)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, check=True)


def files(folder: Path) -> tuple[int, int]:
    """How many files a folder has, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def take(server: int) -> Taken:
    """Measure this process, its server, and the current folder."""
    here = psutil.Process()
    return Taken(
        here.num_fds(),
        here.num_threads(),
        len(here.children(recursive=True)),
        here.memory_info().rss,
        psutil.Process(server).memory_info().rss,
        *files(Path(".state")),
        *files(Path(".dvc/tmp")),
        files(Path(os.environ["PREFECT_HOME"]))[1],
    )


def soak(runs: int) -> bool:
    """Run, print a table, and say whether nothing has grown."""
    with tempfile.TemporaryDirectory() as place:
        create(Path(place, "project"))
        from flows.pipeline import pipeline  # reads the environment
        from flows.server import SERVERS, reach_server

        reach_server(None)
        server = SERVERS[-1].process
        seen: list[Taken] = []
        begun = time.monotonic()
        for number in range(1, runs + 1):
            Path("params.yaml").write_text(f"number: {number}\n", encoding="utf-8")
            pipeline(check=False, cores=1)
            if number % max(1, runs // 10) == 0:
                seen.append(take(server.pid))
                shown = {name: round(v / MIB, 2) if v > MIB else v for name, v in asdict(seen[-1]).items()}
                print(f"{number} runs, {time.monotonic() - begun:.0f} s:", shown, flush=True)
        grown = seen[0].grown(seen[-1])
        print(f"grown: {', '.join(grown) or 'nothing'}")
        os.chdir(Path(place).parent)
        server.terminate()
        server.wait()
    return not grown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="default: %(default)s")
    sys.exit(0 if soak(parser.parse_args().runs) else 1)

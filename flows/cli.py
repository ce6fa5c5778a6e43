"""The command `python -m flows.pipeline`: do what `dvc repro` does, by a Prefect flow if there is anything to do.

Prefect isn't imported, and no server started, when nothing is stale.
"""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from flows.commands import CHECK, HOURS
from flows.graph import FIXABLE, Graph
from flows.worktree import alone


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    found = argparse.ArgumentParser(prog="python -m flows.pipeline", description=(__doc__ or "").partition("\n")[0])
    found.add_argument("targets", nargs="*", help="stages, or kinds of stages, to stop at (default: all)")
    for name in ("datasets", "models"):
        found.add_argument(f"--{name}", type=commas, help=f"write run.{name} to params.yaml first: a,b,c")
    found.add_argument("--recipe", help="write run.recipe to params.yaml first")
    found.add_argument("--cores", type=int, help="stages side by side on the CPU (default: one per core)")
    found.add_argument("--gpus", type=commas, help="devices, a stage on each: 0,1 (default: all there are)")
    found.add_argument("--hours", type=float, default=HOURS, help="for one stage (default: %(default)g)")
    found.add_argument("--pull", action="store_true", help="fetch the cache from the remote first")
    found.add_argument("--push", action="store_true", help="send the cache to the remote at the end")
    found.add_argument("--base", default="HEAD", help="commit to compare the tables with (default: %(default)s)")
    found.add_argument("--scheduler", help="address of a Dask cluster that runs the stages: tcp://…")
    found.add_argument("--commit", help="work in a clean checkout; fail if git has other tables than it makes")
    return found


def main() -> None:
    """Run the flow as a command: one line for an error, and exit status 1."""
    words = vars(parser().parse_args())
    # Prefect hands SIGTERM on to whoever had it before; Python's default would leave Prefect's server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if is_due(words):
            from flows.server import run  # Prefect, and then its server, take seconds

            run(**words)
        else:
            subprocess.run([sys.executable, "-m", *CHECK], check=True)
        if not words["commit"] and not words["targets"]:
            from multiresunet.review.outcome import outcome

            print(outcome(), flush=True)
    except FIXABLE as error:
        sys.exit("error: " + " ".join(str(error).split()))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # it has said why
    except KeyboardInterrupt:
        sys.exit("error: interrupted; run again to go on from here")


def commas(words: str) -> list[str]:
    """The words of a list, of which there may be none."""
    return [word for word in words.split(",") if word]


def is_due(words: Mapping[str, Any]) -> bool:
    """Whether there is anything for the flow to do."""
    if any(words[name] for name in ("datasets", "models", "recipe", "pull", "push", "commit")):
        return True
    with alone(logging.getLogger(__name__)):  # a killed run may have left what DVC can't read
        graph = Graph()
        return bool(graph.stale(graph.select(words["targets"])))

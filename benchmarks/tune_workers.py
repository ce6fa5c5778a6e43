"""Speed-up of many tuning workers against one, on a PostgreSQL server of this machine.

    python -m benchmarks.tune_workers [--workers 4] [--trials 24] [--kill]

Starts a server of its own, or uses the one of MULTIRESUNET_STUDIES. Workers are processes with one thread each, so on
n idle cores the speed-up of n workers is close to n. `--kill` kills one worker in the middle with SIGKILL.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
import uuid
from collections import Counter
from contextlib import nullcontext

import torch

from multiresunet.tuning import workers
from multiresunet.tuning.study import Study
from multiresunet.tuning.trials import number_of
from tests.discs import discs
from tests.tuning.making import make_study
from tests.tuning.postgres import server

FORK = multiprocessing.get_context("fork")  # what importing torch takes isn't what is measured
HEARTBEAT = 3


def timed(study: Study, url: str, count: int, kill: bool) -> float:
    """Seconds until `count` workers have finished every trial, each once.

    Raises:
        SystemExit: if a trial is lost, or counted twice.
    """
    key = uuid.uuid4().hex
    processes = [FORK.Process(target=workers.work, args=([study], url, key, HEARTBEAT)) for _ in range(count)]
    since = time.perf_counter()
    for process in processes:
        process.start()
    if kill:
        time.sleep(3.0)
        processes[-1].kill()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - since
    ((_, found),) = workers.work([study], url, key, HEARTBEAT)
    numbers = Counter(number_of(trial) for trial in found)
    if numbers != Counter(range(study.tune.trials)):
        raise SystemExit(f"error: not every trial was finished once: {numbers}")
    return seconds


def main() -> None:
    """Print the times and the speed-up."""
    parser = argparse.ArgumentParser(description="speed-up of many tuning workers against one")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kill", action="store_true", help="kill one of the many with SIGKILL after three seconds")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study = make_study(discs(24, (64, 64), 1, 3), trials=asked.trials, startup=asked.trials)
    given = os.environ.get("MULTIRESUNET_STUDIES")
    with nullcontext(given) if given else server() as url:
        one = timed(study, url, 1, kill=False)
        many = timed(study, url, asked.workers, asked.kill)
    print(f"{asked.trials} trials, each finished once; {os.cpu_count()} cores")
    print(f"1 worker: {one:.1f} s; {asked.workers} workers{', one killed' * asked.kill}: {many:.1f} s")
    print(f"speed-up {one / many:.2f}")


if __name__ == "__main__":
    main()

"""Kill a random process of a running flow, again and again, and see what is left: `python -m benchmarks.kill_campaign`.

In a clone with one small phantom and two networks, in which all was made and the results of one kind of stage are then
taken away. For each kind N kills by SIGKILL: at a random moment after such a stage has begun, of any process of the run
(the flow, Prefect's server, a watchdog, the process that keeps DVC loaded, its fork server, the stage). For the kind
"flow" all results are taken away, and the flow is killed at any moment. A run that ends although neither the flow nor
its server was killed is lost; a process that outlives its run is an orphan; tables and dvc.lock, with the hashes of all
results, must be those of a run that nobody disturbs.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from dvc.utils.serialize import modify_yaml

from multiresunet.config.editing import set_values

ROOT = Path(__file__).parents[1]
SMALL = {
    "run.datasets": ["nuclei"],
    "run.models": ["unet", "multiresunet"],
    "run.recipe": "quick",
    "run.tuned": {"datasets": ["nuclei"], "models": ["multiresunet"]},
    "datasets.nuclei.source.samples": 8,
    "datasets.nuclei.size": [32, 32],
    "recipes.quick.updates": 12,
    "tune.trials": 2,
}
KINDS = ("fetch", "tune", "train", "predict", "flow")
OFTEN = 2  # kills of a stage between two starts; one that is killed three times ends its run, and may
LATEST = {"flow": 20.0}  # seconds from a start to its kill; else from a stage's begin
FLOW = (sys.executable, "-m", "flows.pipeline", "--cores")


def clone(folder: Path) -> Path:
    """A clone of the repository in which nothing has run, with little to do."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    params = folder / "params.yaml"
    params.write_text(set_values(params.read_text(encoding="utf-8"), SMALL), encoding="utf-8")
    (folder / "dvc.lock").unlink(missing_ok=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """What a run needs, with state of its own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {
        "PATH": path,
        "PREFECT_HOME": str(folder / ".state/prefect"),
        "DVC_SITE_CACHE_DIR": str(folder / ".state/dvc"),
    }
    return {**os.environ, "DVC_NO_ANALYTICS": "1", "PREFECT_CLIENT_MAX_RETRIES": "1", **own}


def results(folder: Path) -> dict[str, bytes]:
    """What must not depend on kills."""
    return {path.name: path.read_bytes() for path in [folder / "dvc.lock", *sorted(folder.glob("metrics/*.csv"))]}


def processes(folder: Path) -> list[psutil.Process]:
    """All that work in a folder, wherever they come from."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def start(folder: Path, cores: int = 2) -> subprocess.Popen[bytes]:
    """The flow, whose lines go to the file `said`."""
    with (folder / "said").open("w") as said:
        return subprocess.Popen([*FLOW, str(cores)], cwd=folder, env=environment(folder), stdout=said, stderr=said)


def begun(folder: Path, kind: str) -> Counter[str]:
    """How often the flow has begun each stage of a kind."""
    return Counter(re.findall(rf"> python -m (stages\.{kind} .*)", (folder / "said").read_text(encoding="utf-8")))


def forget(folder: Path, kind: str) -> None:
    """Take away the results of a kind of stage, and all that could restore them."""
    shutil.rmtree(folder / ".state")
    shutil.rmtree(folder / ".dvc/cache/runs")
    lock = folder / "dvc.lock"
    if kind == "flow":
        shutil.rmtree(folder / "data")
        lock.unlink()
        return
    with modify_yaml(lock) as tree:  # DVC's own, so that no other byte changes
        for name, stage in list(tree["stages"].items()):
            if stage["cmd"].startswith(f"python -m stages.{kind} "):
                for out in stage["outs"]:
                    shutil.rmtree(folder / out["path"])
                del tree["stages"][name]


def kill_one(folder: Path, flow: subprocess.Popen[bytes], kind: str, chance: random.Random) -> str:
    """Wait for a stage of a kind, then kill; what was killed, or "" if the run has ended before."""
    before = begun(folder, kind)
    while kind != "flow":
        now = begun(folder, kind)
        if any(now[stage] <= OFTEN for stage in now - before):
            break
        if flow.poll() is not None:
            return ""
        time.sleep(0.05)
    time.sleep(chance.uniform(0, LATEST.get(kind, 1.5)))
    family = [process for process in processes(folder) if kind != "flow" or process.pid == flow.pid]
    if not family:
        return ""
    victim = chance.choice(family)
    with suppress(psutil.Error):
        words = " ".join(victim.cmdline())
        victim.kill()
        names = {
            "watchdog.py": "watchdog",
            "dvc_worker": "DVC",
            "ephemeral": "server",
            "forkserver": "stage or forker",
            "resource_tracker": "resource tracker",
        }
        named = next((name for word, name in names.items() if word in words), "other")
        return "flow" if victim.pid == flow.pid else named
    return ""


def ends(folder: Path) -> list[psutil.Process]:
    """The processes that are left half a minute after a run."""
    deadline = time.monotonic() + 30
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def disturbed(folder: Path, kind: str, most: int, chance: random.Random) -> Counter[str]:
    """Run a flow to its end, although its processes are killed.

    Returns:
        How often each was killed, and how many runs were `lost`.
    """
    found = Counter[str]()
    while True:
        # One stage at a time, so that none is hit by a kill that was meant for another.
        flow, victims = start(folder, cores=2 if kind == "flow" else 1), list[str]()
        while found.total() - found["lost"] + len(victims) < most:
            if not (victim := kill_one(folder, flow, kind, chance)):
                break
            victims.append(victim)
            if victim == "flow":
                break
        status = flow.wait()
        found.update(victims)
        if status == 0:
            return found
        # The flow's own death ends a run, and its server's; it goes on at the next start.
        if not set(victims) & {"flow", "server"}:
            found["lost"] += 1
            print((folder / "said").read_text(encoding="utf-8"), file=sys.stderr)
            if found["lost"] > OFTEN:
                return found


def campaign(kinds: Sequence[str], kills: int, seed: int) -> bool:
    """Kill, print a table, and say whether nothing was lost, left behind or changed."""
    chance, fine = random.Random(seed), True
    with tempfile.TemporaryDirectory() as place:
        calm = clone(Path(place, "calm"))
        if start(calm).wait():
            sys.exit((calm / "said").read_text(encoding="utf-8"))
        wanted = results(calm)
        print("| during | kills | of which | lost | orphans | differing |\n|---|---|---|---|---|---|", flush=True)
        for kind in kinds:
            killed, orphans, differing = Counter[str](), 0, 0
            while killed.total() - killed["lost"] < kills:
                folder = Path(shutil.copytree(calm, Path(place, "killed"), symlinks=True))
                forget(folder, kind)
                killed += disturbed(folder, kind, kills - killed.total() + killed["lost"], chance)
                left = ends(folder)
                for process in left:
                    print("left:", *process.cmdline(), file=sys.stderr)
                    process.kill()
                orphans += len(left)
                differing += results(folder) != wanted
                shutil.rmtree(folder)
            lost = killed.pop("lost", 0)
            shown = ", ".join(f"{number} {name}" for name, number in sorted(killed.items()))
            print(f"| {kind} | {killed.total()} | {shown} | {lost} | {orphans} | {differing} |", flush=True)
            fine &= not (lost or orphans or differing)
    return fine


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("kinds", nargs="*", default=KINDS, help=f"of {', '.join(KINDS)} (default: all)")
    words = parser.parse_args()
    sys.exit(0 if campaign(words.kinds, words.kills, words.seed) else 1)

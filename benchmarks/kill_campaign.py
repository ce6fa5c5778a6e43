"""Kill a random process of a running flow, again and again, and see what is left: `python -m benchmarks.kill_campaign`.

In a clone with one small phantom and two networks. For each kind of stage, and for the flow itself, N kills by SIGKILL:
at a random moment after such a stage has begun, of any process of the run (the flow, Prefect's server, a watchdog, the
process that keeps DVC loaded, its fork server, the stage). A run that ends without having been killed itself is lost;
a process that outlives its run is an orphan; tables and dvc.lock must be those of a run that nobody disturbs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

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
FLOW = (sys.executable, "-m", "flows.pipeline", "--cores", "2")


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
    return {**os.environ, "DVC_NO_ANALYTICS": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", **own}


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


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The flow, whose lines go to the file `said`."""
    with (folder / "said").open("w") as said:
        return subprocess.Popen(FLOW, cwd=folder, env=environment(folder), stdout=said, stderr=said)


def begun(folder: Path, kind: str) -> int:
    """How many stages of a kind the flow has begun."""
    return (folder / "said").read_text(encoding="utf-8").count(f"> python -m stages.{kind}")


def kill_one(folder: Path, flow: subprocess.Popen[bytes], kind: str, chance: random.Random) -> str:
    """Wait for a stage of a kind, then kill; what was killed, or "" if the run has ended before."""
    before = begun(folder, kind)
    while kind != "flow" and begun(folder, kind) == before:
        if flow.poll() is not None:
            return ""
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 20 if kind == "flow" else 3))
    if kind == "flow":
        flow.kill()
        return "flow"
    family = processes(folder)
    if not family:
        return ""
    victim = chance.choice(family)
    with suppress(psutil.Error):
        words = " ".join(victim.cmdline())
        victim.kill()
        names = {"watchdog.py": "watchdog", "dvc_worker": "DVC", "ephemeral": "server", "forkserver": "stage or forker"}
        named = next((name for word, name in names.items() if word in words), "other")
        return "flow" if victim.pid == flow.pid else named
    return ""


def campaign(kills: int, seed: int) -> bool:
    """Kill, print a table, and say whether nothing was lost, left behind or changed."""
    chance = random.Random(seed)
    table = {kind: Counter[str]() for kind in KINDS}
    with tempfile.TemporaryDirectory() as place:
        template = clone(Path(place, "template"))
        calm = Path(shutil.copytree(template, Path(place, "calm"), symlinks=True))
        if start(calm).wait():
            sys.exit((calm / "said").read_text(encoding="utf-8"))
        wanted = results(calm)
        for kind in KINDS:
            found, killed = table[kind], Counter[str]()
            while found["kills"] < kills:
                folder = Path(shutil.copytree(template, Path(place, "killed"), symlinks=True))
                flow, victims = start(folder), set[str]()
                while True:
                    if victim := kill_one(folder, flow, kind, chance) if found["kills"] < kills else "":
                        found["kills"] += 1
                        killed[victim] += 1
                        victims.add(victim)
                        if victim != "flow" and flow.poll() is None:
                            continue
                    if flow.wait() == 0:
                        break
                    # The flow's own death ends a run, and its server's; it goes on at the next start.
                    found["lost"] += not victims & {"flow", "server"}
                    if found["lost"] > kills:
                        sys.exit((folder / "said").read_text(encoding="utf-8"))
                    flow, victims = start(folder), set[str]()
                deadline = time.monotonic() + 30
                while (left := processes(folder)) and time.monotonic() < deadline:
                    time.sleep(0.2)
                found["orphans"] += len(left)
                found["differing"] += results(folder) != wanted
                for process in left:
                    process.kill()
                shutil.rmtree(folder)
            shown = ", ".join(f"{number} {name}" for name, number in killed.items())
            print(f"{kind}: {found['kills']} kills ({shown}), {found['lost']} lost, ", end="")
            print(f"{found['orphans']} orphans, {found['differing']} with differing bytes", flush=True)
    return not any(found[what] for found in table.values() for what in ("lost", "orphans", "differing"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    sys.exit(0 if campaign(words.kills, words.seed) else 1)

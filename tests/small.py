"""A small DVC project with the shape of the real one and stages of a few milliseconds."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]

PROJECT = {
    # Otherwise DVC writes .gitignore files into data/, in the order in which stages end.
    ".gitignore": "/data/\n/.state/\n__pycache__/\n",
    "params.yaml": "run: {datasets: [a, b]}\n",
    "dvc.yaml": """
        stages:
          fetch:
            matrix: {dataset: "${run.datasets}"}
            cmd: python -m stages.fetch ${item.dataset}
            deps: [stages/fetch.py]
            outs: ["data/raw/${item.dataset}"]
          train:
            matrix: {dataset: "${run.datasets}"}
            cmd: python -m stages.train ${item.dataset}
            deps: [stages/train.py, "data/raw/${item.dataset}"]
            outs: ["data/trained/${item.dataset}"]
          report:
            cmd: python -m stages.report
            deps: [stages/report.py, data/trained]
            outs: [metrics/summary.csv: {cache: false}]
        """.replace("\n        ", "\n"),
    "stages/__init__.py": "",
    "stages/fetch.py": """
import sys
from pathlib import Path
if sys.argv[1] != "--check":
    Path("data/raw").mkdir(parents=True, exist_ok=True)
    Path("data/raw", sys.argv[1]).write_text(sys.argv[1])
""",
    "stages/train.py": """
import sys
from pathlib import Path
name = sys.argv[1]
print(f"training on {name}")
print(f"{name} fold 2/2 epoch 1/4 loss 0.1")
Path("data/trained").mkdir(parents=True, exist_ok=True)
Path("data/trained", name).write_text(Path("data/raw", name).read_text() * 3)
""",
    "stages/report.py": """
from pathlib import Path
Path("metrics").mkdir(exist_ok=True)
rows = [f"{path.name},{path.read_text()}" for path in sorted(Path("data/trained").glob("[ab]"))]
Path("metrics/summary.csv").write_text("\\n".join(["dataset,score", *rows, ""]))
""",
}

# Instead of the stage above: a score that depends on the machine, by $ROUNDING, and on the recipe's threads.
TRAIN_ON_ANY_CPU = """
import os, sys, yaml
from pathlib import Path
recipes = yaml.safe_load(Path("params.yaml").read_text()).get("recipes", {"quick": {"threads": 1}})
score = 0.5 + float(os.environ["ROUNDING"]) + 0.002 * (recipes["quick"]["threads"] - 1)
print(f"training on {sys.argv[1]}")
Path("data/trained").mkdir(parents=True, exist_ok=True)
Path("data/trained", sys.argv[1]).write_text(f"{score:.4f}")
"""


def parameters(**more: object) -> str:
    """This repository's params.yaml, with the small project's data sets: portable arithmetic on one thread."""
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["datasets"] = dict.fromkeys("ab", tree["datasets"]["nuclei"])
    tree["run"] |= {"datasets": ["a", "b"], "tuned": {"datasets": [], "models": []}}
    return yaml.safe_dump(tree | more)


def settings(folder: Path) -> dict[str, str]:
    """The environment of every command in such a project: this checkout's code, and state of its own in `folder`."""
    others = ("PREFECT_", "DVC_", "GIT_", "PYTHONDONTWRITEBYTECODE")
    own = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    who = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return (
        own
        | who
        | {
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(folder / "dvc"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]]),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS": "0.1",
            "PYTHONPATH": str(ROOT),
        }
    )


def create(folder: Path, environment: dict[str, str]) -> Path:
    """Write the project, in which nothing has run."""
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in (["git", "init", "-q", "-b", "main"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, env=environment, check=True)
    return folder


def commit(folder: Path, environment: dict[str, str]) -> None:
    """Commit all."""
    for command in (["git", "add", "-A"], ["git", "commit", "-qm", "all"]):
        subprocess.run(command, cwd=folder, env=environment, check=True)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first of pytest-xdist's processes which needs it makes, for all of them; not to be changed.

    Args:
        factory: pytest's
        name: of the folder
        make: fills the folder, which is there and empty
    """
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def with_database(factory: pytest.TempPathFactory, environment: dict[str, str]) -> dict[str, str]:
    """The environment, whose PREFECT_HOME has a database now: a server takes eight seconds to make one."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
        subprocess.run(command, env=settings(folder), check=True, capture_output=True)

    shutil.copytree(once(factory, "database", make) / "prefect", environment["PREFECT_HOME"])
    return environment

"""Where a report comes from: commit, versions and machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess

from multiresunet import arithmetic
from multiresunet.files import some_of
from multiresunet.paths import LOCK, METRICS, TRAINING_SECONDS

CODE = ("multiresunet", "stages", "catalog", "expectations")  # folders that results depend on
PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "optuna",
    "great-expectations",
    "dvc",
    "prefect",
)


def provenance() -> dict[str, str]:
    """Commit, versions and machine of this run, in this order."""
    return commit_and_versions() | {"trained in": trained_in()}


def commit_and_versions() -> dict[str, str]:
    """Commit, versions and this machine."""
    return {
        "commit": commit(),
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, {arithmetic.cpu()}",
    }


def trained_in() -> str:
    """In which arithmetic, and on which CPUs, this run's networks were trained, as far as they were trained here."""
    import pandas as pd  # here and below, since a look whether the page is current needs neither

    from multiresunet import config

    loaded = config.load()
    found: dict[str, None] = {}
    restored = 0
    for stem in (f"{dataset}-{model}" for dataset in loaded.run.datasets for model in loaded.models_of(dataset)):
        files = TRAINING_SECONDS.glob(f"{stem}-*.csv")  # one for each seed
        machines = [machine for file in files for machine in pd.read_csv(file).get("machine", [])]
        found |= dict.fromkeys(machines)
        restored += not machines
    if restored:
        found[f"elsewhere: {restored} models, restored from DVC's cache"] = None
    return "; ".join(found)


def training_speed() -> str:
    """How long each of this run's models took to train, and how many images a second, as far as that was here."""
    import pandas as pd

    from multiresunet import config

    loaded, found = config.load(), []
    for dataset in loaded.run.datasets:
        for model in loaded.models_of(dataset):
            tables = [pd.read_csv(file) for file in sorted(TRAINING_SECONDS.glob(f"{dataset}-{model}-*.csv"))]
            if not tables or any("images" not in table for table in tables):  # an older commit's
                continue
            both = pd.concat(tables)
            seconds = both["seconds"].sum()
            found.append(f"{dataset} {model}: {seconds:.0f} s, {both['images'].sum() / seconds:.3g} images/s")
    return "; ".join(found)


def commit() -> str:
    """The commit that is checked out, and which of its files differ here, results left out, and what code is new."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        # The tables and dvc.lock are what a run writes; any other difference makes it another commit's result.
        changed = git("diff", "--name-only", "-z", "HEAD", "--", f":!{METRICS}", f":!{LOCK}")
        changed += git("ls-files", "--others", "--exclude-standard", "-z", "--", *CODE)
        names = changed.split("\0")[:-1]
        return git("rev-parse", "HEAD") + (f" with changes in {some_of(names)}" if names else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not in a git repository)"


def short(name: str) -> str:
    """The first ten digits of what `commit` returns, with a star if files differ; "unknown" without a repository."""
    return name.partition(" ")[0][:10] + ("*" if " with changes" in name else "")

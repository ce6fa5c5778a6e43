"""A run that was archived in results/, as a commit: its own, with the archive's parameters, dvc.lock and tables."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.paths import LOCK, METRICS, PARAMS
from multiresunet.review.git import git

PROVENANCE = "provenance.json"
IDENTITY = ("-c", "user.name=multiresunet verify", "-c", "user.email=verify@localhost", "-c", "commit.gpgsign=false")


def commit(folder: Path) -> str:
    """The commit that an archived run was made with.

    Raises:
        UserError: the folder holds no archived run, or one that other changes than in params.yaml took part in
    """
    path = folder / PROVENANCE
    try:
        said = re.fullmatch(
            r"([0-9a-f]{40})(?: with changes in (.+))?", json.loads(path.read_text(encoding="utf-8"))["commit"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        said = None
    if not said:
        raise UserError(f"{path} doesn't name the commit of an archived run; restore it from git")
    if said[2] not in (None, PARAMS.as_posix()):
        raise UserError(f"{folder} was made with uncommitted changes in {said[2]}, so nobody can make it again")
    return said[1]


def lay(folder: Path, root: Path) -> None:
    """Put an archived run's files into a checkout of its commit, in place of the commit's own, and commit them there.

    Raises:
        UserError: a file is missing
    """
    shutil.rmtree(root / METRICS, ignore_errors=True)
    (root / METRICS).mkdir()
    try:
        for path in (PARAMS, LOCK):
            shutil.copyfile(folder / path, root / path)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; restore it from git") from None
    for path in (*folder.glob("*.csv"), *folder.glob("summary.json")):
        shutil.copyfile(path, root / METRICS / path.name)
    git("add", "--all", folder=root)
    git(*IDENTITY, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", f"Lay {folder.name}", folder=root)

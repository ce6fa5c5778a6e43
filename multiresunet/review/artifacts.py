"""Trained models by name and version, as GTO's tags and dvc.yaml's artifacts name them; and a model's commit."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.paths import LOCK, PARAMS, PREDICTED, STATE, TRAINED
from multiresunet.review.git import git, resolve
from multiresunet.review.recorded import locked, md5
from multiresunet.review.worktree import dvc

MODELS = STATE / "models"


def fetched(tag: str) -> Path:
    """The trained folder of a version, as "nuclei-multiresunet@v1.0.0", copied from DVC's cache or its remote.

    Raises:
        UserError: if this isn't the project's folder, there is no such version, or nothing has its files.
    """
    if not PARAMS.is_file():
        raise UserError(f"{tag}: a version is looked up in the project's repository; run this beside {PARAMS}")
    name, _, version = tag.partition("@")
    try:
        commit = resolve(tag)
    except UserError:
        known = git("tag", "--list", f"{name}@*").split()
        has = f"there is {', '.join(known)}" if known else f"`gto register {name}` makes one"
        raise UserError(f"{tag}: no such version of a model; {has}, or fetch the tags: `git fetch --tags`") from None
    target = MODELS / f"{name}@{version}-{commit[:10]}"  # a tag may be moved
    if not target.exists():
        draft = target.with_name(f".{target.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            dvc("artifacts", "get", ".", name, "--rev", version, "--out", str(draft))
        except UserError as error:
            raise UserError(f"{tag}: {error}; `dvc pull` fetches it where a remote has it") from None
        draft.rename(target)
    return target


def commit_of(folder: Path) -> str | None:
    """The first commit whose dvc.lock records what a trained folder holds; None if none does, or it is a bundle."""
    if not folder.is_dir():
        return None
    words = ("log", "--format=%H", f"-S{_digest(folder)}", "HEAD", "--branches", "--tags", "--", f":/{LOCK}")
    try:
        found = git(*words, folder=folder).split()
    except UserError:  # no repository, no commit, no git
        return None
    return found[-1] if found else None


def is_predicted(folder: Path, dataset: str) -> bool:
    """Whether the project's tables are of what a trained folder holds, by the digests in its dvc.lock.

    Means over several trainings can't say of which ones they are.
    """
    if not folder.is_dir():
        return False
    digest = _digest(folder)
    return any(
        dep["path"].startswith(f"{TRAINED}/{dataset}/") and dep.get("md5") == digest
        for stage in locked(Path()).values()
        if any(out["path"].startswith(f"{PREDICTED}/") for out in stage.get("outs", []))
        for dep in stage.get("deps", [])
    )


def _digest(folder: Path) -> str:
    """As DVC names a folder."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    listing = [{"md5": md5(files[name]), "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"

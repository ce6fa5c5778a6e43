"""Files as a commit has them, read from git without a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.paths import LOCK, PARAMS, STATE


def git(*words: str, folder: Path | None = None) -> str:
    """What git prints.

    Raises:
        UserError: git isn't installed, or failed
    """
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    except FileNotFoundError:
        raise UserError("git is needed and isn't installed") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        # A question or advice may follow what was wrong.
        cause = next((line for line in lines if line.startswith(("fatal: ", "error: ", "ssh: "))), lines[-1])
        raise UserError(f"git {words[0]}: {cause}") from None
    return done.stdout


def require_repository(command: str) -> None:
    """Check that the current folder is the root of a clone of the project.

    Raises:
        UserError: it isn't; with what `command` needs
    """
    inside = PARAMS.is_file()
    if inside:
        try:
            git("rev-parse", "--git-dir")
        except UserError:
            inside = False
    if not inside:
        raise UserError(
            f"`{command}` compares commits of a git repository; run it in the root of a clone, beside {PARAMS}"
        )


def resolve(commit: str, folder: Path | None = None) -> str:
    """The full name of a commit that is given as a branch, a tag, an abbreviation, …

    Raises:
        UserError: there is no such commit
    """
    try:
        return git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}", folder=folder
        ).strip()
    except UserError:
        raise UserError(f"{commit!r} is no commit of this repository; fetch it, or name another") from None


def changed(root: Path = Path()) -> list[str]:
    """The files below a folder that git tracks, or would, and that aren't those of the commit; dvc.lock last.

    The flow's own state isn't among them, even where git doesn't ignore it.
    """
    words = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    lines = git(*words, folder=root).split("\0")
    above = git("rev-parse", "--show-prefix", folder=root).rstrip("\n")  # names begin at the repository's root
    found = (line[3:].removeprefix(above) for line in lines if line)
    return sorted(
        (path for path in found if not path.startswith(f"{STATE}/")), key=lambda path: (path == LOCK.as_posix(), path)
    )


class Tree:
    """The tracked files of a commit or, without one, the files of a working tree: this folder's, or another's."""

    def __init__(self, commit: str | None, folder: Path = Path()) -> None:
        """Raises UserError if there is no such commit."""
        self._root = folder
        self.commit = commit and resolve(commit, folder)
        self.name = commit or "the working tree"

    def paths(self, folder: str, suffix: str) -> list[str]:
        """The files right below `folder` whose names end with `suffix`, sorted; empty if there is no such folder."""
        if self.commit:
            found = git("ls-tree", "-z", "--name-only", self.commit, f"{folder}/", folder=self._root).split("\0")
        else:
            files = (path for path in (self._root / folder).glob("*") if path.is_file())
            found = [path.relative_to(self._root).as_posix() for path in files]
        return sorted(path for path in found if path.endswith(suffix))

    def read(self, path: str) -> str | None:
        """A file's text; None if there is no such file.

        Raises:
            UserError: it isn't text
        """
        try:
            return self._text(path)
        except UnicodeDecodeError as error:
            raise UserError(f"{path} of {self.name} isn't text in UTF-8 ({error}); restore it from git") from None

    def _text(self, path: str) -> str | None:
        if not self.commit:
            file = self._root / path
            return file.read_text(encoding="utf-8") if file.is_file() else None
        if not git("ls-tree", "--name-only", self.commit, path, folder=self._root):
            return None
        return git("show", f"{self.commit}:./{path}", folder=self._root)

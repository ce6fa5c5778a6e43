"""`multiresunet verify`: whether the tables in git are those that their commit makes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from multiresunet import arithmetic, config, watchdog
from multiresunet.config import FolderSource, Verify, editing
from multiresunet.data import sources
from multiresunet.data.sources import folder
from multiresunet.errors import UserError
from multiresunet.files import write_text
from multiresunet.paths import LOCK, PARAMS, STATE
from multiresunet.review import archived
from multiresunet.review.git import changed, git
from multiresunet.review.judgement import Judgement, judge, tolerances
from multiresunet.review.recorded import changed_data, changed_tables, locked, of_status, other_versions
from multiresunet.review.worktree import dvc, environment, worktree

EXACT = (
    "portable arithmetic repeats its bytes on this machine, so no tolerance applies; "
    "if the tables were made on macOS, on ARM or by a GPU, judge them with --arithmetic native"
)
UNKNOWN = f"{PARAMS} doesn't say in which arithmetic the tables are made, so tolerances apply"


@dataclass(frozen=True)
class How:
    """How a commit's tables are made; None: as its recipe says.

    from_scratch: run every stage, even those whose results the cache has.
    arithmetic, threads: of the recipe.
    settings: values of params.yaml, by key, which make other tables on purpose.
    """

    from_scratch: bool = False
    arithmetic: str | None = None
    threads: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    def changes(self, recipe: str) -> dict[str, object]:
        """The values of params.yaml to set, by key."""
        wanted = {"arithmetic": self.arithmetic, "threads": self.threads}
        own = {f"recipes.{recipe}.{name}": value for name, value in wanted.items() if value is not None}
        return {**own, **self.settings}


def of_commit(commit: str, how: How | None = None) -> Judgement:
    """Make the commit's tables in a clean checkout and compare.

    Raises:
        UserError: there is no such commit, or a stage failed
    """
    with worktree(commit) as root:
        return _of_checkout(root, how or How())


def of_archive(folder: Path, how: How | None = None) -> Judgement:
    """Make the tables of a run in results/ in a clean checkout of its commit, with its params.yaml, and compare.

    Raises:
        UserError: the folder isn't a run that can be made again, or a stage failed
    """
    commit = archived.commit(folder)
    with worktree(commit) as root:
        archived.lay(folder, root)
        return _of_checkout(root, how or How())


def _of_checkout(root: Path, how: How) -> Judgement:
    """Make the tables of the commit that is checked out, there, and compare."""
    tolerances(root)  # what is wrong with them is said now, not after the stages
    findings, notes = recorded_otherwise(root)
    for line in findings:
        print(line, file=sys.stderr, flush=True)
    own = _set(root, how)
    _reproduce(root, *(["--force"] if how.from_scratch else []))
    if tables := _stages_of_tables(root):  # again, since nothing but git vouches for what they have written
        _reproduce(root, "--force", "--single-item", *tables)
    return judged(root, findings, notes, own)


def recorded_otherwise(root: Path) -> tuple[list[str], list[str]]:
    """How a checkout differs from what it records, before anything is made there; it gets the data that the cache has.

    Returns:
        Findings, which no arithmetic explains; and notes about the arithmetic.
    """
    with suppress(UserError):  # what the cache hasn't got is made later
        dvc("checkout", folder=root)
    findings, notes = of_status(root)
    return [*findings, *changed_tables(root), *changed_data(root), *other_versions(root)], notes


def judged(root: Path, findings: Sequence[str], notes: Sequence[str], own: Sequence[str] = ()) -> Judgement:
    """Compare the tables that were made in a checkout with the commit's.

    No difference is tolerated where the commit's own arithmetic repeats its bytes on this machine.

    Args:
        root: the checkout.
        findings, notes: as `recorded_otherwise` has found them.
        own: files that were changed on purpose, so that other tables are made.
    """
    exact = not (notes or own) and _repeats_bytes(root)
    found = judge(root, Verify() if exact else tolerances(root), findings, own)
    said = [*notes, *_circumstances(root), *([EXACT] if exact and found.files else [])]
    return replace(found, exact=exact, notes=said)


def of_workspace() -> list[str]:
    """What differs here from the commit that is checked out: tracked files, and data that DVC tracks.

    Returns:
        One line for each file.
    """
    findings = [f"{path}: differs from the commit" for path in changed(Path())]
    findings += changed_data(Path())
    return findings + changed_folders(config.load())


def changed_folders(loaded: config.Params) -> list[str]:
    """The folders of users' data that the run reads and whose files aren't those of the pinned digest.

    DVC doesn't look at them, since they lie outside the repository. A folder that isn't on this machine can't differ.
    """
    findings = []
    for name in loaded.run.datasets:
        source = loaded.datasets[name].source
        if isinstance(source, FolderSource) and folder.is_at_hand(source.path):
            try:
                sources.checked(source, STATE)
            except UserError as error:
                findings.append(str(error))
    return findings


def _set(root: Path, how: How) -> list[str]:
    """Write what is to be done otherwise into a checkout's params.yaml.

    Returns:
        The files that aren't the commit's for that reason.
    """
    path = root / PARAMS
    if not (how.arithmetic or how.threads or how.settings):
        return []
    changes = how.changes(config.load(path).run.recipe)
    write_text(path, editing.set_values(path.read_text(encoding="utf-8"), changes))
    return [PARAMS.as_posix(), LOCK.as_posix()]


def _recipe(root: Path) -> dict[str, Any]:
    """The recipe of a checkout's run as params.yaml has it, whatever today's schema says; empty if there is none."""
    try:
        tree = config.tree_of(config.text_of(root / PARAMS))
        recipe = tree["recipes"][tree["run"]["recipe"]]
    except (UserError, LookupError, TypeError):  # no YAML, no such key, or no mapping
        return {}
    return recipe if isinstance(recipe, dict) else {}


def _circumstances(root: Path) -> list[str]:
    """In which arithmetic a checkout's tables are made here."""
    recipe = _recipe(root)
    if not {"arithmetic", "threads"} <= recipe.keys():
        return [UNKNOWN]
    wanted = "native" if arithmetic.obstacle() else recipe["arithmetic"]
    threads = "1 thread" if recipe["threads"] == 1 else f"{recipe['threads']} threads"
    return [f"made in {wanted} arithmetic, with {threads}, on {arithmetic.cpu()}"]


def _repeats_bytes(root: Path) -> bool:
    """Whether a checkout's tables come out here with the same bytes as on every other machine that computes so."""
    if _recipe(root).get("arithmetic") != "portable" or arithmetic.obstacle():
        return False
    import torch  # here, since it takes seconds

    return not torch.cuda.is_available()


def _stages_of_tables(root: Path) -> list[str]:
    """The stages with outputs that git keeps and DVC's cache doesn't."""
    tracked = set(git("ls-files", "-z", folder=root).split("\0"))
    return [name for name, stage in locked(root).items() if tracked & {out["path"] for out in stage.get("outs", [])}]


def _reproduce(root: Path, *words: str) -> None:
    """Run `dvc repro` with its lines on standard error; it ends when this process does, however that ends.

    Raises:
        UserError: a stage failed, with its own words
    """
    error = last = ""
    with subprocess.Popen(
        [*watchdog.COMMAND, sys.executable, "-m", "dvc", "repro", *words],
        cwd=root,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            for line in filter(str.strip, process.stdout):
                print(line, end="", file=sys.stderr, flush=True)
                error, last = line if re.match("error: ", line) else error, line
        except BaseException:
            process.stdin.close()  # by which the watchdog ends it
            process.wait()
            raise
    if process.returncode:
        raise UserError(f"the commit's pipeline fails: {error or last}")

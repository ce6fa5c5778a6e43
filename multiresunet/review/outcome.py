"""The line that a run ends with: whether the tables are the commit's own, and if not, by how much and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from multiresunet.errors import UserError
from multiresunet.files import some_of
from multiresunet.paths import METRICS
from multiresunet.review.git import Tree, git

IRRELEVANT = ("fetch", "machine", "verify")  # sections of params.yaml on which no result depends


def outcome() -> str:
    """Compare metrics/ here with that of the commit which is checked out."""
    try:
        lines = git("status", "--porcelain", "--untracked-files=all", "--", METRICS.as_posix()).splitlines()
        commit = git("rev-parse", "--short", "HEAD").strip()
    except UserError:
        return "Tables: made; there is no commit to compare them with."
    names = [Path(line[3:]).stem for line in lines if line.endswith(".csv")]
    if not lines:
        return f"Tables: those of commit {commit}, byte for byte."
    # What follows takes a second to import, and most runs don't need it.
    from multiresunet.review.judgement import judge, tolerances

    found = judge(Path(), tolerances(Path()))
    total = len(list(METRICS.glob("*.csv")))
    reasons = list(_reasons())
    which = f"Tables: {len(names)} of {total} differ from commit {commit} ({some_of(names, 3)})"
    judged = f"{len(found.beyond)} beyond tolerance" if found.beyond else "all within tolerance"
    size = f"; the largest is {found.largest}, {judged}" if found.largest else ""
    return f"{which}{size}. Why: {'; '.join(reasons) or _arithmetic()}."


def _reasons() -> Iterator[str]:
    """The known causes: data, parameters, code, versions."""
    from multiresunet.review import causes
    from multiresunet.review.recorded import other_versions

    old, new = Tree("HEAD"), Tree(None)
    if data := [each.dataset for each in causes.of_data(old, new) if each.old and each.new]:
        yield f"other data ({some_of(data)})"
    settings = [*causes.of_params(old, new), *causes.of_recorded_params(old, new)]
    keys = [setting.key for setting in settings if setting.key.partition(".")[0] not in IRRELEVANT]
    if keys:
        yield f"other parameters ({some_of(list(dict.fromkeys(keys)))})"
    code = causes.of_code(old, new)
    if paths := [path for path in code if not path.endswith(".lock")]:
        yield f"other code ({some_of(paths)})"
    versions = [line.split(":")[0] for line in other_versions(Path())]
    if versions or len(code) > len(paths):
        yield f"other library versions ({some_of(versions or ['numerics.lock'])})"


def _arithmetic() -> str:
    from multiresunet import arithmetic, config

    try:
        wanted = f", {config.load().recipe.arithmetic} arithmetic"
    except UserError:
        wanted = ""
    return f"no other cause is known than the CPU ({arithmetic.cpu()}{wanted})"

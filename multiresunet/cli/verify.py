"""`multiresunet verify`: whether a commit makes the tables that it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from multiresunet.errors import UserError


def verify(
    commit: Annotated[
        str | None, typer.Argument(help="commit, branch, tag, or a folder of results/", show_default="this folder's")
    ] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="run every stage, trusting no cache")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="ask for the same bytes")] = False,
    arithmetic: Annotated[
        str | None, typer.Option(help="portable or native arithmetic, instead of the recipe's", show_default=False)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="threads of each training, instead of the recipe's", show_default=False)
    ] = None,
) -> None:
    """Check that the commit makes the tables that git has.

    They must be the same bytes, or within tolerance; else the status is 1. The tables are made in a clean checkout
    beside this one: from DVC's cache where it has the stages' results, and by running the stages where not. Without
    COMMIT, the files in this folder must also be those of the commit. A folder of results/ is judged with the commit
    and the parameters that it names.
    """
    # Here, since they take a second to import.
    from multiresunet.review.archived import PROVENANCE
    from multiresunet.review.git import require_repository
    from multiresunet.review.verify import How, of_archive, of_commit, of_workspace

    require_repository("multiresunet verify")
    here = of_workspace() if commit is None else []
    how = How(from_scratch, arithmetic, threads)
    if commit and Path(commit, PROVENANCE).is_file():
        made, remedy = of_archive(Path(commit), how), "restore it from git, or archive the run again"
    else:
        made, remedy = of_commit(commit or "HEAD", how), "restore it, or run `dvc repro` and commit all"
    found = replace(made, findings=[*here, *made.findings])
    for part in found.details():
        print(part, end="\n\n")
    if not found.passes(strict):
        raise UserError(f"{found.line(strict)}; {remedy}")
    print(found.line(strict))

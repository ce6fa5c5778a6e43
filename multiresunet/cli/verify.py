"""`multiresunet verify`: whether a commit makes the tables that it has."""

from __future__ import annotations

from typing import Annotated

import typer

from multiresunet.errors import UserError
from multiresunet.files import some_of


def verify(
    commit: Annotated[str | None, typer.Argument(help="commit, branch or tag", show_default="this folder's")] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="run every stage, trusting no cache")] = False,
) -> None:
    """Whether the tables in git are those that the commit makes; names each file that differs, with status 1.

    The tables are made in a clean checkout beside this one: from DVC's cache where it has the stages' results, and by
    running the stages where not. Without COMMIT, the files in this folder must also be those of the commit.
    """
    # Here, since they take a second to import.
    from multiresunet.review.git import require_repository
    from multiresunet.review.verify import of_commit, of_workspace

    require_repository("multiresunet verify")
    findings = [*(of_workspace() if commit is None else []), *of_commit(commit or "HEAD", from_scratch)]
    for line in findings:
        print(line)
    if findings:
        names = list(dict.fromkeys(line.partition(":")[0] for line in findings))
        raise UserError(f"{some_of(names)}: not what the commit makes; restore it, or run `dvc repro` and commit all")
    print("Every table is the one that the commit makes.")

"""`multiresunet diff` and `multiresunet verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multiresunet.errors import UserError
from multiresunet.files import some_of
from multiresunet.review.git import Tree


def diff(
    base: Annotated[str, typer.Argument(help="commit, branch or tag to compare with")],
    head: Annotated[str | None, typer.Argument(help="the other commit", show_default="the working tree")] = None,
    output: Annotated[Path | None, typer.Option(help="write the Markdown here instead of printing it")] = None,
    picture: Annotated[Path | None, typer.Option(help="draw what changed most here, as PNG")] = None,
    meant: Annotated[bool, typer.Option("--meant", help="a score below its interval is meant: status 0")] = False,
) -> None:
    """What changed in the tables since BASE, and why, as Markdown; status 1 for a score below its interval."""
    from multiresunet.review.diff import Diff  # takes a second to import

    found = Diff.between(Tree(base), Tree(head))
    if picture:
        found.picture(picture)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(found.markdown(), encoding="utf-8")
    else:
        print(found.markdown(), end="")
    if found.regressions and not meant:
        which = some_of([" on ".join(reversed(cell.key)) for cell in found.regressions])
        raise UserError(f"{which}: worse than {base}, beyond the interval; fix it, or say that it is meant (--meant)")


def verify(
    commit: Annotated[str | None, typer.Argument(help="commit, branch or tag", show_default="what is here")] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="run every stage, trusting no cache")] = False,
) -> None:
    """Whether the tables in git are those that the commit makes; names each file that differs, with status 1.

    The tables are made in a clean checkout beside this one, from DVC's cache where it has the stages' results and by
    running them where not. Without COMMIT, the files here must be those of the commit, too.
    """
    from multiresunet.review.verify import of_commit, of_workspace

    findings = [*(of_workspace() if commit is None else []), *of_commit(commit or "HEAD", from_scratch)]
    for line in findings:
        print(line)
    if findings:
        names = list(dict.fromkeys(line.partition(":")[0] for line in findings))
        raise UserError(f"{some_of(names)}: not as the commit makes it; restore it, or run `dvc repro` and commit all")
    print("Every table is the one that the commit makes.")

"""`multiresunet diff`: what changed in the tables, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multiresunet.errors import UserError
from multiresunet.files import some_of, write_text


def diff(
    base: Annotated[str, typer.Argument(help="commit, branch or tag to compare with")],
    head: Annotated[str | None, typer.Argument(help="the other commit", show_default="the working tree")] = None,
    output: Annotated[Path | None, typer.Option(help="write the Markdown to this file instead of printing it")] = None,
    picture: Annotated[Path | None, typer.Option(help="draw the largest changes into this PNG file")] = None,
    meant: Annotated[bool, typer.Option("--meant", help="scores below their interval are intended: status 0")] = False,
) -> None:
    """Show what changed in the tables since BASE, and why.

    Writes Markdown; status 1 if a score is below the interval that it had in BASE.
    """
    # Here, since they take a second to import.
    from multiresunet.review.diff import Diff
    from multiresunet.review.git import Tree, require_repository

    require_repository("multiresunet diff")
    found = Diff.between(Tree(base), Tree(head))
    if picture:
        found.draw(picture)
    if output:
        write_text(output, found.markdown())
    else:
        print(found.markdown(), end="")
    if found.regressions and not meant:
        which = some_of([" on ".join(reversed(cell.key)) for cell in found.regressions])
        raise UserError(f"{which}: below the interval of {base}; fix it, or pass --meant if it is intended")

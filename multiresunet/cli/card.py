"""`multiresunet card`: what there is to know of a model before it is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from multiresunet.cli.predict import ModelName
from multiresunet.errors import UserError


def card(
    model: ModelName,
    out: Annotated[Path | None, typer.Option(help="file to write", show_default="print it")] = None,
) -> None:
    """Print a model card: scores, data, limits, how to cite.

    It is Markdown, as Hugging Face's pages take it. In the project's folder it has what metrics/ says of the model,
    too.
    """
    if out and out.is_dir():
        raise UserError(f"{out}: is a folder; name a file")

    from multiresunet.files import write_text
    from multiresunet.inference.loading import load_model
    from multiresunet.inference.packages.card import card_of
    from multiresunet.review.artifacts import commit_of

    loaded = load_model(model, device="cpu")
    commit = loaded.description.commit or commit_of(loaded.folder)
    text = card_of(replace(loaded, description=loaded.description.model_copy(update={"commit": commit})))
    if out:
        write_text(out, text)
    else:
        print(text, end="")

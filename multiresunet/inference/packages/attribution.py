"""Whose a model is, on which terms, and how to cite it: what LICENSE and CITATION.cff say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from multiresunet.errors import UserError
from multiresunet.inference.bundle import CITATION, LICENSE, text_of
from multiresunet.inference.model import Model


@dataclass(frozen=True)
class Attribution:
    """authors: of the model. license: its SPDX identifier. paper: to be cited, in words, and its DOI.

    texts: LICENSE and CITATION.cff, as they are.
    """

    authors: tuple[str, ...]
    license: str
    paper: str
    doi: str
    texts: Mapping[str, str]


def attribution_of(model: Model) -> Attribution:
    """What the project's folder says, or, of a model that has left it, its bundle.

    Raises:
        UserError: if neither has the two files, or CITATION.cff lacks what is needed.
    """
    texts = {}
    for name in (LICENSE, CITATION):
        text = text_of(model.folder, name)
        if text is None and not Path(name).is_file():
            raise UserError(
                f"{name} is missing, which says whose the model is; run this in the project's folder, or name a bundle"
            )
        texts[name] = Path(name).read_text(encoding="utf-8") if text is None else text
    try:
        cff = yaml.safe_load(texts[CITATION])
        paper = cff["preferred-citation"]
        where = f"{paper['journal']} {paper['volume']}:{paper['start']}-{paper['end']} ({paper['year']})"
        return Attribution(
            authors=tuple(_names(cff["authors"])),
            license=cff["license"],
            paper=f"{', '.join(_names(paper['authors']))}. {paper['title']}. {where}",
            doi=paper["doi"],
            texts=texts,
        )
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"{CITATION}: lacks what a package says of its authors ({error}); add it") from None


def _names(people: Iterable[Mapping[str, Any]]) -> list[str]:
    return [one.get("name") or f"{one['given-names']} {one['family-names']}" for one in people]

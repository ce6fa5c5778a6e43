"""The data card: what a data set is, whom to cite, on which terms it may be used; YAML, beside its catalog."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from multiresunet.config import Source, Strict, first_finding
from multiresunet.errors import UserError


class DataCard(Strict):
    """Facts for people; no number depends on them. `mask` is the rule for foreground in words."""

    title: str
    modality: str
    about: str
    mask: str
    citation: str
    terms: str
    homepage: str
    obtain: str | None = None  # steps, where the data can't be downloaded without a person

    def __str__(self) -> str:
        lines = [f"{self.title} ({self.modality})", self.about, f"cite: {self.citation}", f"terms: {self.terms}"]
        lines += [f"see: {self.homepage}"]
        if self.obtain:
            lines += ["how to get it:", *(f"  {line}" for line in self.obtain.splitlines())]
        return "\n".join(line.rstrip() for line in lines)


def of(source: Source) -> DataCard | None:
    """The data card of a source: the one it names, or the one beside its catalog, if there is one.

    Raises:
        UserError: if it can't be read.
    """
    if source.kind == "http":
        path = Path(source.catalog).with_suffix(".yaml")
        return _read(path) if path.exists() else None
    named = None if source.kind == "phantom" else source.card
    return _read(Path(named)) if named else None


def _read(path: Path) -> DataCard:
    try:
        return DataCard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(
            f"{path}: this data card is missing; restore it from git, or take it out of params.yaml"
        ) from None
    except ValidationError as error:
        raise UserError(f"{path}: {first_finding(error)}; fix it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None

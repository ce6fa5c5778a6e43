"""Fetch and validate one data set: what the two stages, and `multiresunet data check`, do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from multiresunet.config import Dataset, Params
from multiresunet.data import data_card, manifest, sources, validation
from multiresunet.data.profile import profile
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.paths import RAW, STATE, SUITES, VALIDATED


def fetch(name: str, params: Params) -> None:
    """Write data/raw/<name>: images/, masks/, manifest.csv and source.json; what was there stays if this fails.

    Raises:
        UserError: if there is no such data set, or saying what is wrong with its source.
    """
    dataset = params.dataset(name)
    card = data_card.of(dataset.source)
    if card:
        print(card, flush=True)  # before what may take hours, or fail
    with replacing(RAW / name) as draft:
        samples = sources.fetch(dataset, draft, STATE, params.fetch)
        manifest.write(draft, samples)
        record = {"modality": dataset.modality, **dataset.source.model_dump(exclude_none=True)}
        if card:
            record["card"] = card.model_dump(exclude_none=True)
        write_json(draft / "source.json", record)
    print(f"{name}: {len(samples)} samples from {dataset.source.kind}")


@dataclass(frozen=True)
class Outcome:
    """What validation found.

    facts: one row a sample, from `profile`.
    findings: one for each expectation, from `validation.judge`.
    """

    name: str
    facts: pd.DataFrame
    findings: list[dict[str, Any]]

    def conclude(self) -> None:
        """Print what was converted, and how many expectations passed.

        Raises:
            UserError: naming what fails and on which samples.
        """
        for note, count in validation.notes(self.facts).items():
            print(f"{self.name}: {note} ({count} samples)")
        if complaint := validation.complaint(self.name, self.facts, self.findings):
            raise UserError(complaint)
        warnings = sum(not finding["success"] for finding in self.findings)
        passed = len(self.findings) - warnings
        print(f"{self.name}: {len(self.facts)} samples pass {passed} expectations, {warnings} warnings")


def validate(name: str, dataset: Dataset) -> Outcome:
    """Write data/validated/<name>: facts.csv, validation.json and notes.json, whether the data set passes or not.

    Raises:
        UserError: if data/raw/<name> has no readable manifest, or a suite of expectations can't be read.
    """
    facts = profile(RAW / name, manifest.read(RAW / name), dataset)
    findings = [
        one for suite in validation.suites(SUITES, name) for one in validation.judge(facts, suite, dataset.mask)
    ]
    with replacing(VALIDATED / name) as draft:
        write_csv(draft / "facts.csv", facts)
        write_json(draft / "validation.json", findings)
        write_json(draft / "notes.json", validation.notes(facts))
    return Outcome(name, facts, findings)

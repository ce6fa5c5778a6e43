"""Validate one data set in data/raw/: what the stage, and `multiresunet data check`, do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from multiresunet.config import Dataset
from multiresunet.data import manifest, validation
from multiresunet.data.profile import profile
from multiresunet.errors import UserError
from multiresunet.files import replacing, some_of, write_csv, write_json
from multiresunet.paths import RAW, SUITES, VALIDATED


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
        """Print what was converted, what is worth a look and how to fix it, and how many expectations passed.

        Raises:
            UserError: naming what fails and on which samples.
        """
        for note, count in validation.notes(self.facts).items():
            print(f"{self.name}: {note} ({count} samples)")
        if complaint := validation.complaint(self.name, self.facts, self.findings):
            raise UserError(complaint)
        warnings = [finding for finding in self.findings if not finding["success"]]
        for one in warnings:
            where = some_of(one["samples"]) or "the whole data set"
            print(f"warning: {self.name}: {one['title'] or one['expectation']} ({where}): {one['remedy']}")
        passed, counted = len(self.findings) - len(warnings), f"{len(warnings)} warning{'s' * (len(warnings) != 1)}"
        print(f"{self.name}: {len(self.facts)} samples pass {passed} expectations, {counted}")


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

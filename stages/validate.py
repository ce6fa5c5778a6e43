"""validate DATASET: measure every sample and hold the facts against the expectations; stop if one fails."""

from __future__ import annotations

from pathlib import Path

from multiresunet import params
from multiresunet.data import gate, manifest
from multiresunet.data.profile import profile
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.report import dataset as page
from stages.running import FACTS, RAW, run

SUITES = Path("expectations")


def validate(name: str) -> None:
    """Write data/facts/<name>: facts.csv, validation.json and notes.json, and the data set's page.

    They are written even if the gate stays shut.
    """
    dataset = params.load().dataset(name)
    facts = profile(RAW / name, manifest.read(RAW / name), dataset)
    findings = [one for suite in gate.suites(SUITES, name) for one in gate.judge(facts, suite, dataset.mask)]
    with replacing(FACTS / name) as draft:
        write_csv(draft / "facts.csv", facts)
        write_json(draft / "validation.json", findings)
        write_json(draft / "notes.json", gate.notes(facts))
    print(f"{name}: {page.render(name, dataset)} shows what was found")
    for note, count in gate.notes(facts).items():
        print(f"{name}: {note} ({count} samples)")
    complaint = gate.complaint(name, facts, findings)
    if complaint:
        raise UserError(complaint)
    warnings = sum(not finding["success"] for finding in findings)
    print(f"{name}: {len(facts)} samples pass {len(findings) - warnings} expectations, {warnings} warnings")


if __name__ == "__main__":
    run(validate)

"""validate DATASET: measure every sample and hold the facts against the expectations; stop if one fails."""

from __future__ import annotations

from multiresunet import config
from multiresunet.data import manifest, validation
from multiresunet.data.profile import profile
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv, write_json
from multiresunet.paths import RAW, SUITES, VALIDATED
from multiresunet.report import dataset_page as page
from stages.running import run


def validate(name: str) -> None:
    """Write data/validated/<name>: facts.csv, validation.json and notes.json, and the data set's page.

    They are written even if the gate stays shut.
    """
    dataset = config.load().dataset(name)
    facts = profile(RAW / name, manifest.read(RAW / name), dataset)
    findings = [
        one for suite in validation.suites(SUITES, name) for one in validation.judge(facts, suite, dataset.mask)
    ]
    with replacing(VALIDATED / name) as draft:
        write_csv(draft / "facts.csv", facts)
        write_json(draft / "validation.json", findings)
        write_json(draft / "notes.json", validation.notes(facts))
    print(f"{name}: {page.render(name, dataset)} shows what was found")
    for note, count in validation.notes(facts).items():
        print(f"{name}: {note} ({count} samples)")
    complaint = validation.complaint(name, facts, findings)
    if complaint:
        raise UserError(complaint)
    warnings = sum(not finding["success"] for finding in findings)
    print(f"{name}: {len(facts)} samples pass {len(findings) - warnings} expectations, {warnings} warnings")


if __name__ == "__main__":
    run(validate)

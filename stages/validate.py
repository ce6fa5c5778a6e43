"""validate DATASET: measure every sample and hold the facts against the expectations; stop if one fails."""

from __future__ import annotations

from pathlib import Path

from multiresunet import params
from multiresunet.data import gate, manifest
from multiresunet.data.profile import profile
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv, write_json
from stages.running import FACTS, RAW, run

SUITE = Path("expectations/samples.json")


def validate(name: str) -> None:
    """Write data/facts/<name>: facts.csv and validation.json, even if the gate stays shut."""
    dataset = params.load().dataset(name)
    facts = profile(RAW / name, manifest.read(RAW / name), dataset)
    findings = gate.judge(facts, SUITE)
    with replacing(FACTS / name) as draft:
        write_csv(draft / "facts.csv", facts)
        write_json(draft / "validation.json", findings)
    complaint = gate.complaint(name, facts, findings)
    if complaint:
        raise UserError(complaint)
    print(f"{name}: {len(facts)} samples pass {len(findings)} expectations")


if __name__ == "__main__":
    run(validate)

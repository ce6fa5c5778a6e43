"""validate DATASET: measure every sample and compare the facts with the expectations; stop if one fails."""

from __future__ import annotations

from multiresunet import config
from multiresunet.data import checking
from multiresunet.paths import RAW
from multiresunet.report import dataset_page
from stages.running import needs, run


def validate(name: str) -> None:
    """Write data/validated/<name> and the data set's page, whether it passes or not."""
    dataset = config.load().dataset(name)
    needs(RAW / name, f"fetch@{name}")
    outcome = checking.validate(name, dataset)
    print(f"{name}: {dataset_page.render(name, dataset)} shows what was found")
    outcome.conclude()


if __name__ == "__main__":
    run(validate)

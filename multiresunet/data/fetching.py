"""Fetch one data set into data/raw/: what the stage, and `multiresunet data check`, do."""

from __future__ import annotations

from multiresunet.config import Params
from multiresunet.data import data_card, manifest, sources
from multiresunet.files import replacing, write_json
from multiresunet.paths import RAW, STATE


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

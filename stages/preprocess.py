"""preprocess DATASET: all samples at one size and scale, and their folds."""

from __future__ import annotations

import json

import pandas as pd

from multiresunet import config
from multiresunet.data import folds, manifest, resizing
from multiresunet.data.description import describe
from multiresunet.data.geometry import input_size
from multiresunet.data.preprocessing import prepare
from multiresunet.errors import UserError
from multiresunet.files import replacing, write_csv
from multiresunet.paths import PREPARED, RAW, VALIDATED
from multiresunet.report import dataset_page
from multiresunet.seeds import seed_for
from stages.running import needs, run


def preprocess(name: str) -> None:
    """Write data/prepared/<name>: images.npy, masks.npy, samples.csv, folds.csv, dataset.json; complete the page."""
    loaded = config.load()
    dataset, recipe = loaded.dataset(name), loaded.recipe
    needs(RAW / name, f"fetch@{name}")
    needs(VALIDATED / name / "facts.csv", f"validate@{name}")
    samples = manifest.read(RAW / name)
    groups = [sample.group for sample in samples]
    facts = measured(name, [sample.sample for sample in samples])
    by = recipe.folds.by if dataset.groups else "image"
    count, seed = recipe.folds.count, seed_for(loaded.seed, name, "folds")
    shares = facts["foreground_share"].to_numpy()
    assigned = folds.assign(groups, count, by, seed, shares=shares, stratify=recipe.folds.stratify)
    if by == "group":
        folds.check_groups(groups, assigned)
    size = input_size(dataset, recipe)
    table = folds.summary(facts, assigned, folds.assign(groups, count, "image", seed))
    with replacing(PREPARED / name) as draft:
        made = prepare(RAW / name, samples, assigned, dataset, size, draft)
        write_csv(draft / "folds.csv", table)
        source = json.loads((RAW / name / "source.json").read_text(encoding="utf-8"))
        describe(name, dataset, size, facts.assign(spacing=made["spacing"]), source.get("card")).write(draft)
    dataset_page.render(name, dataset)
    for line in (resizing.loss(made, size), resizing.spacings(made) if dataset.spacing is None else None):
        if line is not None:
            print(f"warning: {name}: {line}")
    how = "in patches of" if dataset.fit == "patches" else "at"
    print(f"{name}: {len(samples)} samples {how} {resizing.in_words(size)}, {count} folds by {by}")
    leak, at_random = table["leak"].mean(), table["leak_of_random_folds"].mean()
    print(f"{name}: {leak:.0%} of test images have a near-duplicate in training; in random folds {at_random:.0%} would")


def measured(name: str, samples: list[str]) -> pd.DataFrame:
    """The facts that validate wrote, of these samples."""
    path = VALIDATED / name / "facts.csv"
    facts = pd.read_csv(path, dtype={"sample": str, "group": str, "alike": str}, keep_default_na=False)
    if facts["sample"].tolist() != samples or (facts["problem"] != "").any():
        raise UserError(f"{path}: not of the data in {RAW / name}; run `dvc repro validate@{name}` first")
    return facts.assign(foreground_share=facts["foreground_share"].astype(float))


if __name__ == "__main__":
    run(preprocess)

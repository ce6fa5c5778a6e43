"""preprocess DATASET: bring all samples to one size and scale, and assign the folds."""

from __future__ import annotations

from multiresunet import params
from multiresunet.data import folds, manifest
from multiresunet.data.arrays import prepare
from multiresunet.files import replacing
from multiresunet.seeds import seed_for
from stages.running import PREPARED, RAW, run


def preprocess(name: str) -> None:
    """Write data/prepared/<name>: images.npy, masks.npy, samples.csv."""
    loaded = params.load()
    dataset, recipe = loaded.dataset(name), loaded.recipe
    samples = manifest.read(RAW / name)
    by = recipe.folds.by if dataset.groups else "image"
    assigned = folds.assign([s.group for s in samples], recipe.folds.count, by, seed_for(loaded.seed, name, "folds"))
    size = dataset.input_size(recipe)
    with replacing(PREPARED / name) as draft:
        prepare(RAW / name, samples, assigned, dataset, size, draft)
    print(f"{name}: {len(samples)} samples at {'×'.join(map(str, size))}, {recipe.folds.count} folds by {by}")


if __name__ == "__main__":
    run(preprocess)

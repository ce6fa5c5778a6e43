"""What another seed changes: `python -m benchmarks.same_network OUT.npz`

Trains small networks on small phantoms, each with several seeds and nothing else changed, and writes what the claims
are measured from. Whatever a comparison of two of these trainings finds is chance, so that the rule of the verdicts
must find next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.transform import resize

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.sources.phantom import draw
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.evaluation.claims.robustness import PerturbationPlan
from multiresunet.evaluation.masks import MaskPair
from multiresunet.evaluation.metrics.overlap import jaccard
from multiresunet.inference.predictor import Model
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob

CELLS = (("lesions", "unet_bn"), ("lesions", "multiresunet"))
SEEDS, IMAGES, FOLDS, SIDE, FILTERS, EPOCHS, BATCH, RATE = 8, 36, 3, 32, 4, 14, 4, 0.01
KINDS = ("gaussian", "contrast", "blur", "rotation")


def small(name: str) -> PreparedDataset:
    """A phantom's first images, made small."""
    images, masks = [], []
    for one in draw(name, IMAGES, 1):
        shown = resize(one.image, (SIDE, SIDE), preserve_range=True, anti_aliasing=True)
        images.append(np.atleast_3d(shown).transpose(2, 0, 1).astype(np.uint8))
        masks.append(resize(one.mask / 255.0, (SIDE, SIDE), anti_aliasing=True) > 0.5)
    samples = [f"s{index:02d}" for index in range(IMAGES)]
    table = pd.DataFrame({"sample": samples, "group": "", "fold": np.arange(IMAGES) % FOLDS})
    return PreparedDataset(np.stack(images), np.stack(masks).astype(np.uint8), table)


def measured(name: str, network: str, seed: int, data: PreparedDataset) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """What one training of each fold comes to, by the names of arrays: see `main`."""
    params = config.load()
    recipe = params.recipes["quick"]
    optimiser = recipe.optimiser.model_copy(update={"learning_rate": RATE})
    recipe = recipe.model_copy(update={"batch": BATCH, "optimiser": optimiser})
    device, settings = SingleDevice(use_threads(1)), params.evaluate
    spec = NetworkSpec(network, 2, data.channels, filters=FILTERS)
    predicted, curves, models = np.empty(data.masks.shape, dtype=bool), [], []
    for fold in range(FOLDS):
        names = (name, network, fold, seed)
        job = TrainJob(spec, data, *data.split(fold), recipe, EPOCHS, settings.threshold, params.seed, names, device)
        fitted = fit(job)
        curves.append([line.test_jaccard for line in fitted.history])
        trained = build_network(spec)
        trained.load_state_dict(fitted.last)
        models.append(Model(spec, [trained], device.device))
        test = data.split(fold)[1]
        predicted[test] = models[-1].predict(data.images[test], BATCH) >= settings.threshold
    yield "curves", np.array(curves)
    pairs = [MaskPair(one, mask.astype(bool)) for one, mask in zip(predicted, data.masks, strict=True)]
    yield "jaccard", np.array([jaccard(pair) for pair in pairs])
    segments = low_contrast.measure(data, predicted, settings.low_contrast)
    low, rest = low_contrast.per_image(segments, IMAGES, settings.low_contrast.lowest_share)
    yield "low", low
    yield "rest", rest
    plan = PerturbationPlan(
        {kind: settings.perturbations[kind] for kind in KINDS},
        config.Perturbed(images=18, severities=[3]), False, params.seed, name,
    )  # fmt: skip
    scores = robustness.perturbed_scores(
        lambda fold, images: models[fold].predict(images.images, BATCH) >= settings.threshold, data, plan
    )
    wide = scores.pivot_table(index="sample", columns="kind", values="jaccard").reindex(data.table["sample"])
    yield "perturbed", wide[list(KINDS)].to_numpy(dtype=np.float64)


def main(out: Path) -> None:
    """Write, for each of CELLS, arrays seeds×…: curves (folds×epochs), jaccard, low, rest (images), perturbed.

    low, rest: error along the lowest-contrast boundaries and along the others, in pixels. perturbed: Jaccard index by
    kind of perturbation, images×kinds; not a number for images that weren't perturbed.
    """
    arrays: dict[str, list[NDArray[np.floating]]] = {}
    for name, network in CELLS:
        data = small(name)
        for seed in range(1, SEEDS + 1):
            for what, array in measured(name, network, seed, data):
                arrays.setdefault(f"{name}-{network}-{what}", []).append(array)
            print(name, network, seed, round(float(arrays[f"{name}-{network}-jaccard"][-1].mean()), 3), flush=True)
    packed = {what: np.stack(parts).astype(np.float32) for what, parts in arrays.items()}
    np.savez_compressed(out, **packed)  # type: ignore[arg-type]  # numpy's stubs take the arrays for its own options


if __name__ == "__main__":
    main(Path(sys.argv[1]))

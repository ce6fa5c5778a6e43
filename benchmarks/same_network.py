"""What another seed changes: `python -m benchmarks.same_network tests/evaluation/same_network.npz`

Trains networks on small phantoms, each with many seeds and nothing else changed, and writes what the claims are
measured from. Whatever a comparison of two sets of these trainings finds is chance: the verdicts' rule must find next
to nothing. About a quarter of an hour on one core; a cell that the file has already isn't trained again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skimage.transform import resize

from multiresunet import config
from multiresunet.data import folds
from multiresunet.data.dataset import PreparedDataset
from multiresunet.data.sources.phantom import draw
from multiresunet.evaluation import baselines
from multiresunet.evaluation.claims import low_contrast, robustness
from multiresunet.evaluation.masks import MaskPair, Masks
from multiresunet.evaluation.metrics.overlap import jaccard
from multiresunet.inference.samples import predict_samples
from multiresunet.nets import NetworkSpec, build_network
from multiresunet.seeds import seed_for
from multiresunet.training.devices import SingleDevice, use_threads
from multiresunet.training.fit import fit
from multiresunet.training.job import TrainJob
from multiresunet.training.loader import Loader

CELLS = tuple((name, "unet_bn") for name in ("nuclei", "membranes", "lesions", "polyps"))
SEEDS, IMAGES, FOLDS, SIDE, FILTERS, EPOCHS, RATE = 12, 36, 3, 32, 4, 12, 0.01
Arrays = dict[str, NDArray[Any]]


class Trained(NamedTuple):
    """The networks of one seed, one for each fold, and the test score after each epoch: folds×epochs."""

    networks: list[torch.nn.Module]
    curves: NDArray[np.float64]


def small(name: str, seed: int) -> PreparedDataset:
    """A phantom's first images, made small, in folds that keep groups whole."""
    drawn = list(draw(name, IMAGES, 1))
    images = [resize(one.image, (one.image.shape[0], SIDE, SIDE), preserve_range=True) for one in drawn]
    masks = [resize(one.mask / 255.0, (SIDE, SIDE)) > 0.5 for one in drawn]
    groups = [one.group for one in drawn]
    about = {"sample": [one.sample for one in drawn], "group": groups}
    table = pd.DataFrame(about | {"fold": folds.assign(groups, FOLDS, "group", seed)})
    return PreparedDataset(np.stack(images).astype(np.uint8), np.stack(masks).astype(np.uint8), table)


def train(names: tuple[str, str], seed: int, data: PreparedDataset, params: config.Params) -> Trained:
    """Train a network on each fold, with one of the seeds."""
    recipe = params.recipes["quick"]
    optimiser = recipe.optimiser.model_copy(update={"learning_rate": RATE})
    recipe = recipe.model_copy(update={"optimiser": optimiser})
    spec = NetworkSpec(names[1], data.dims, data.channels, filters=FILTERS)
    device, networks, curves = SingleDevice(use_threads(1)), [], []
    for fold in range(FOLDS):
        fitted = fit(
            TrainJob(
                spec=spec,
                data=data,
                train=data.split(fold)[0],
                test=data.split(fold)[1],
                recipe=recipe,
                epochs=EPOCHS,
                threshold=params.evaluate.threshold,
                seed=seed_for(params.seed, names[0], seed, fold),
                names=(*names, seed, fold),
                devices=device,
            )
        )
        network = build_network(spec)
        network.load_state_dict(fitted.last)
        networks.append(network)
        curves.append([line.test_jaccard for line in fitted.history])
    return Trained(networks, np.array(curves))


def measured(name: str, found: Trained, data: PreparedDataset, params: config.Params) -> Arrays:
    """What the claims are measured from: see `main`."""
    settings, device = params.evaluate, torch.device("cpu")

    def masks_of(fold: int, images: PreparedDataset) -> Masks:
        everything = np.arange(len(images.table))
        probabilities = predict_samples(found.networks[fold], Loader(images, device), everything, len(everything))
        return [one >= settings.threshold for one in probabilities]

    of_fold = [masks_of(fold, data) for fold in range(FOLDS)]
    predicted = [of_fold[fold][index] for index, fold in enumerate(data.folds)]
    segments = low_contrast.measure(data, predicted, settings.low_contrast)
    low, rest = low_contrast.per_image(segments, IMAGES, settings.low_contrast.lowest_share)
    plan = robustness.PerturbationPlan(settings.perturbations, settings.perturbed["quick"], False, params.seed, name)
    scores = robustness.perturbed_scores(masks_of, data, plan)
    by_kind = scores.pivot_table(index="sample", columns="kind", values="jaccard").reindex(data.table["sample"])
    return {
        "curves": found.curves,
        "jaccard": scored(data, predicted),
        "low": low,
        "rest": rest,
        "perturbed": by_kind.mean(axis=1, skipna=False).to_numpy(dtype=np.float64),
    }


def scored(data: PreparedDataset, predicted: Masks) -> NDArray[np.float64]:
    """The Jaccard index of each image."""
    return np.array([jaccard(MaskPair(one, data.truth(index))) for index, one in enumerate(predicted)])


def main(out: Path) -> None:
    """Write, for each of CELLS, DATASET/NETWORK/… arrays, in half precision.

    curves: test scores, seeds×folds×epochs. Seeds×images: jaccard; low and rest (error along the lowest-contrast
    boundaries and along the others, in pixels); perturbed (mean Jaccard index over perturbations; not a number for
    images that weren't perturbed). baselines: their Jaccard index, baselines×images. fold, group: of each image.
    """
    params = config.load()
    arrays: Arrays = dict(np.load(out)) if out.exists() else {}
    for name, network in CELLS:
        cell = f"{name}/{network}"
        if f"{cell}/fold" in arrays:
            continue
        data, parts = small(name, params.seed), dict[str, list[NDArray[Any]]]()
        for seed in range(1, SEEDS + 1):
            for what, array in measured(name, train((name, network), seed, data, params), data, params).items():
                parts.setdefault(what, []).append(array)
            print(cell, seed, round(float(np.mean(parts["jaccard"][-1])), 3), flush=True)
        of_baselines = np.stack([scored(data, found) for found in baselines.predict_all(data).values()])
        arrays |= {f"{cell}/{what}": np.stack(some).astype(np.float16) for what, some in parts.items()}
        arrays[f"{cell}/baselines"] = of_baselines.astype(np.float16)
        arrays[f"{cell}/group"] = np.unique(data.table["group"], return_inverse=True)[1].astype(np.uint8)
        arrays[f"{cell}/fold"] = data.folds.astype(np.uint8)
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # numpy's stubs take the arrays for its options


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What a registration is enough for: columns, their order and direction, intervals, and the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd
import pytest

from multiresunet import config
from multiresunet.data.dataset import PreparedDataset
from multiresunet.evaluation import comparison, masks, metrics, tables
from multiresunet.evaluation.evidence import Evidence
from multiresunet.evaluation.masks import MaskPair
from multiresunet.registries import METRICS
from multiresunet.registry import Entry
from multiresunet.report import sections

EVALUATE = config.load().evaluate


def test_columns_and_their_order() -> None:
    assert metrics.names([1, 2]) == [
        *("jaccard_best_epoch", "jaccard", "dice_best_epoch", "dice", "precision", "recall"),
        *("boundary_f1_1", "boundary_f1_2", "nsd_1", "nsd_2", "hd95", "asd", "hd95_framed", "asd_framed"),
        *("false_negatives", "false_positives", "fragments", "holes"),
    ]
    lower = [column.name for column in metrics.columns([1]) if column.lower_is_better]
    assert lower == [
        "hd95",
        "asd",
        "hd95_framed",
        "asd_framed",
        "false_negatives",
        "false_positives",
        "fragments",
        "holes",
    ]


@pytest.fixture
def surplus_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric for the time of a test: how many of the predicted pixels are too many, at a tolerance of pixels."""

    def surplus(pair: MaskPair, tolerance: float) -> float:
        return max(0.0, float(pair.prediction.sum()) - float(pair.truth.sum()) - tolerance)

    facts = {"lower_is_better": True, "compared": True, "per_tolerance": True}
    monkeypatch.setitem(METRICS.entries, "surplus", Entry("surplus", __name__, facts))
    monkeypatch.setitem(METRICS._known, "surplus", surplus)


def evidence(data: PreparedDataset) -> Evidence:
    """Of a perfect model, and of one (with the baselines) that predicts three pixels more in each image."""
    truth = data.masks.astype(bool)
    more = truth.copy()
    more[:, 0, :3] = True
    predicted = {"perfect": truth} | dict.fromkeys(("more", "everything foreground", "Otsu threshold"), more)
    images = pd.concat([tables.per_image(data, name, p, p, EVALUATE.tolerances) for name, p in predicted.items()])
    none = pd.DataFrame({"model": []})
    return Evidence(images.assign(seed=1), none, none, none, np.zeros(len(data.table)), {})


@pytest.mark.usefixtures("surplus_registered")
def test_a_registered_metric_is_in_every_table_and_on_the_page(disc_images: PreparedDataset) -> None:
    found = evidence(disc_images)
    assert set(found.side("more").images["surplus_1"]) == {2.0}
    design = comparison.design_of(found.side("more").images, EVALUATE, 0, grouped=False)
    intervals = comparison.intervals(found, design, EVALUATE)
    row = intervals.set_index(["model", "measure"]).loc[("more", "surplus_2")]
    assert row["mean"] == 1
    assert np.isnan(row["low"])  # equal numbers give no certainty
    compared = comparison.comparisons(found, ["more", "perfect"], design, EVALUATE).set_index("measure")
    assert compared.loc["surplus_1", "difference"] == 2  # above 0: the first, which has none, is better
    shown = sections._wide(intervals)
    assert shown["rows"]["surplus_1"][shown["models"].index("more")][0] == 2


def test_nothing_is_computed_twice_for_an_image(monkeypatch: pytest.MonkeyPatch, disc_images: PreparedDataset) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str, function: object) -> object:
        def call(*words: object, **named: object) -> object:
            calls[name] += 1
            return function(*words, **named)  # type: ignore[operator]

        return call

    for name in ("boundary", "components"):
        monkeypatch.setattr(masks, name, counted(name, getattr(masks, name)))
    for name in ("counts", "_distances"):
        own = vars(MaskPair)[name]
        if isinstance(own, cached_property):
            monkeypatch.setattr(own, "func", counted(name, own.func))
        else:
            monkeypatch.setattr(MaskPair, name, counted(name, own))
    one = replace(
        disc_images, images=disc_images.images[:1], masks=disc_images.masks[:1], table=disc_images.table.iloc[:1]
    )
    predicted = np.roll(one.masks.astype(bool), 1, axis=1)
    tables.per_image(one, "m", predicted, predicted, [1, 2])
    # The truth's components; those of the prediction, and of both, are for one metric each.
    # Boundaries and distances with the frame and without it; counts of best and last epoch.
    assert calls == {"boundary": 4, "_distances": 4, "components": 1, "counts": 2}

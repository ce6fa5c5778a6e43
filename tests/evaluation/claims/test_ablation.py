"""The ablation: each statement is supported where it is true by construction, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from multiresunet.evaluation.claims import ablation
from multiresunet.evaluation.claims.verdict import NOT_SUPPORTED, SUPPORTED
from multiresunet.evaluation.evidence import Side
from tests.evaluation.claims.making import EVALUATE, design, scored, verdict


def sides(**columns: tuple[float, float, float]) -> dict[str, Side]:
    """Networks with an overlap, fragments and edges."""
    rng = np.random.default_rng(8)
    return {
        name: scored(
            name,
            seed,
            jaccard=overlap + 0.01 * rng.normal(size=30),
            fragments=np.full(30, fragments),
            holes=np.zeros(30),
            boundary_f1_1=edges + 0.01 * rng.normal(size=30),
        )
        for seed, (name, (overlap, fragments, edges)) in enumerate(columns.items())
    }


def verdicts(**columns: tuple[float, float, float]) -> dict[str, str]:
    networks = {name: name for name in columns}
    found = ablation.findings(sides(**columns), networks, design(), EVALUATE)
    return {finding.measure: verdict(finding) for finding in found}


def test_the_ablation_is_read_right_where_it_is_true_and_only_there() -> None:
    as_read = verdicts(
        unet=(0.6, 1, 0.5),
        unet_bn=(0.7, 1, 0.6),
        unet_bn_respath=(0.75, 0.3, 0.6),
        unet_multires=(0.75, 1, 0.8),
        multiresunet=(0.8, 0.2, 0.8),
    )
    assert as_read == {statement.words: statement.expected for statement in ablation.STATEMENTS}
    same = (0.7, 0.0, 0.6)
    otherwise = verdicts(
        unet=same, unet_bn=same, unet_bn_respath=(0.7, 0, 0.8), unet_multires=same, multiresunet=(0.7, 0.0, 0.6)
    )
    assert set(otherwise.values()) == {NOT_SUPPORTED, SUPPORTED}
    assert [words for words, found in otherwise.items() if found == SUPPORTED] == ["ResPaths alone sharpen edges"]


def test_statements_about_absent_networks_are_left_out() -> None:
    assert list(verdicts(unet=(0.5, 0, 0.5), multiresunet=(0.5, 0, 0.5))) == []
    assert len(verdicts(unet_bn=(0.5, 0, 0.5), multiresunet=(0.5, 0, 0.5))) == 2


def test_an_image_on_which_nothing_is_found_counts_among_the_regions() -> None:
    columns = dict.fromkeys(("unet_bn", "multiresunet"), (0.7, 1.0, 0.6))
    made = sides(**columns)
    images = made["multiresunet"].images
    lost = images["sample"] < "s15"
    made["multiresunet"] = replace(made["multiresunet"], images=images.assign(holes=np.where(lost, np.nan, 0.0)))
    found = ablation.findings(made, {name: name for name in columns}, design(), EVALUATE)
    [regions] = [finding for finding in found if finding.unit == "flaws per region"]
    assert regions.advantage.units == 30
    assert regions.of_model == pytest.approx(1.0, abs=0.01)


def test_what_was_trained_longer_proves_nothing_of_its_parts() -> None:
    made = sides(unet=(0.6, 1, 0.5), unet_bn=(0.7, 1, 0.6))
    networks = {name: name for name in made}
    epochs = {name: pd.DataFrame({"seed": 1, "epoch": range(20)}) for name in made}
    alike = {name: replace(side, history=epochs[name]) for name, side in made.items()}
    assert len(ablation.findings(alike, networks, design(), EVALUATE)) == 1
    longer = alike | {"unet": replace(made["unet"], history=pd.DataFrame({"seed": 1, "epoch": range(60)}))}
    assert ablation.findings(longer, networks, design(), EVALUATE) == []


def test_of_volumes_no_network_stands_for_one_without_normalisation() -> None:
    costs = pd.DataFrame({"network": ["unet", "unet_bn", "unet_bn"], "model": ["u", "b", "b_tuned"]})
    assert ablation.networks(costs, 2) == {"unet": "u", "unet_bn": "b"}
    assert ablation.networks(costs, 3) == {"unet_bn": "b"}

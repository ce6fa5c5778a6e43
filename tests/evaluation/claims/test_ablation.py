"""The ablation: each statement is supported where it is true by construction, and only there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multiresunet.evaluation.claims import ablation
from multiresunet.evaluation.claims.verdict import NOT_SUPPORTED, SUPPORTED
from tests.evaluation.claims.making import RULE, design, verdict


def ablation_tables(**columns: tuple[float, float]) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(8)
    return {
        name: pd.DataFrame(
            {"fragments": 1 + fragments, "holes": 0.0, "boundary_f1_1": edges + 0.01 * rng.normal(size=30)},
            index=range(30),
        )
        for name, (fragments, edges) in columns.items()
    }


def test_the_ablation_is_read_right_where_it_is_true_and_only_there() -> None:
    networks = {name: name for name in ablation.NETWORKS}

    def verdicts(**columns: tuple[float, float]) -> list[str]:
        tables = ablation_tables(**columns)
        return [verdict(f) for f in ablation.findings(tables, networks, design(), 1, RULE.min_effect)]

    as_read = verdicts(unet=(1, 0.6), unet_respath=(0.3, 0.6), unet_multires=(1, 0.8), multiresunet=(0.2, 0.8))
    assert as_read == [expected for *_, expected in ablation.STATEMENTS]
    otherwise = verdicts(unet=(0, 0.6), unet_respath=(0, 0.8), unet_multires=(0, 0.6), multiresunet=(0, 0.6))
    assert otherwise == [NOT_SUPPORTED, SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED]


def test_statements_about_absent_networks_are_left_out() -> None:
    tables = ablation_tables(unet=(0, 0.5), multiresunet=(0, 0.5))
    assert (
        len(ablation.findings(tables, {"unet": "unet", "multiresunet": "multiresunet"}, design(), 1, RULE.min_effect))
        == 2
    )

"""Networks of equal cost: what each idea of the paper is worth if the other networks may spend as much on width."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from multiresunet.evaluation.evidence import Evidence
from multiresunet.evaluation.statistics.design import ComparisonDesign

ANCHOR = "multiresunet"  # the network whose multiply-adds the others must match
SLACK = 0.1  # by which they may differ, as a share of its own
COLUMNS = (
    *("model", "network", "multiply_adds", "share", "parameters", "jaccard"),
    *("difference", "low", "high", "p", "units"),
)


def table(models: Sequence[str], evidence: Evidence, costs: pd.DataFrame, design: ComparisonDesign) -> pd.DataFrame:
    """The run's networks whose multiply-adds are MultiResUNet's, but for a tenth, beside it; empty if there are none.

    `share` is of MultiResUNet's multiply-adds; `difference` is the mean difference of the Jaccard index (last epoch) to
    it, above 0 where the model is better, with its interval (`low`, `high`) and p-value.

    Args:
        models: those that aren't tuned.
        evidence: what was measured.
        costs: model, network, multiply_adds, parameters.
        design: of the data set's images.
    """
    known = costs[costs["model"].isin(models)]
    anchors = known[known["network"] == ANCHOR]
    if anchors.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    anchor = anchors.iloc[0]
    share = known["multiply_adds"] / anchor["multiply_adds"]
    matched = known.assign(share=share)[(share - 1).abs() <= SLACK]
    if len(matched) < 2:
        return pd.DataFrame(columns=list(COLUMNS))

    rows = []
    for row in matched.to_dict("records"):
        about = {key: row[key] for key in ("model", "network", "multiply_adds", "share", "parameters")}
        own = evidence.side(row["model"]).scores("jaccard")
        about["jaccard"] = own.mean()
        if row["model"] != anchor["model"]:
            found = design.paired(own - evidence.side(anchor["model"]).scores("jaccard"))
            about |= {"difference": found.value, "low": found.low, "high": found.high, "p": found.p}
            about["units"] = found.units
        rows.append(about)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"units": "Int64"})

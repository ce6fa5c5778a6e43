"""Tables that tests of the report share."""

from __future__ import annotations

import pandas as pd

from multiresunet import config


def compared(**differences: tuple[float, float, float]) -> pd.DataFrame:
    """Of multiresunet and unet_bn on data sets: difference and interval; one of them as the other's difference."""
    rows = [
        {"dataset": name, "model": "multiresunet", "other": "unet_bn", "measure": "jaccard", "seeds": 3, "note": ""}
        | {"p_corrected": 0.001}
        | dict(zip(("difference", "low", "high"), numbers, strict=True))
        for name, numbers in differences.items()
    ]
    return pd.DataFrame(rows)


def loaded(*datasets: str) -> config.Params:
    found = config.load()
    run = found.run.model_copy(update={"datasets": list(datasets), "models": ["unet_bn", "multiresunet"]})
    return found.model_copy(update={"run": run})

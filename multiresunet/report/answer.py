"""The page's first sentence: who is best, by how much, against which control, at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation import BASELINES
from multiresunet.report import tables
from multiresunet.report.advice import Warning

Tables = Mapping[str, pd.DataFrame]


def control_of(loaded: Params) -> str | None:
    """The model that the others are shown beside: the planned reference, or the first of the references, in the run."""
    wanted = [*loaded.evaluate.confirmatory[1:], *loaded.evaluate.references]
    return next((name for name in wanted if name in loaded.run.models), None)


def planned(loaded: Params) -> tuple[str, str] | None:
    """The planned comparison, model and control, if both are in the run."""
    pair = loaded.evaluate.confirmatory
    return (pair[0], pair[1]) if pair and set(pair) <= set(loaded.run.models) else None


def headline(kept: Tables, loaded: Params, poor: Mapping[str, set[str]]) -> str:
    """One sentence on the planned comparison, or on the best model where there is none.

    Args:
        kept: the tables in metrics/, by name.
        loaded: params.yaml.
        poor: for each data set the models that hardly beat the baselines.
    """
    pair = planned(loaded)
    summary = kept["summary"][kept["summary"]["model"].isin(loaded.run.models)]
    best = _best(summary)
    if pair is None:
        score = summary[summary["model"] == best]["jaccard"].mean()
        return f"{best} scores best: a Jaccard index of {100 * score:.1f} %, {_over(loaded.run.datasets)}."
    model, control = pair
    usable = [name for name in loaded.run.datasets if not poor[name] & set(pair)]
    if not usable:
        failed = [name for name in pair if any(name in names for names in poor.values())]
        beat = "beats" if len(failed) == 1 else "beat"
        return f"No answer yet: {' and '.join(failed)} hardly {beat} the baselines on any data set; train longer."
    rows = tables.above(kept["comparisons"], control)
    rows = rows[(rows["model"] == model) & rows["dataset"].isin(usable)]
    value, low, high = (100 * number for number in mean_with_interval(rows, loaded.evaluate.statistics.confidence))
    word = "Yes" if low > 0 else "No" if high < 0 else "Not shown"
    side = "above" if value >= 0 else "below"
    ends = sorted((abs(low), abs(high))) if low * high > 0 else [low, high]
    interval = f"{100 * loaded.evaluate.statistics.confidence:.0f} % interval {ends[0]:.1f} to {ends[1]:.1f}"
    seeds = int(rows["seeds"].min())
    needed = loaded.evaluate.verdict.seeds
    few = f", preliminary ({seeds} of {needed} seeds)" if seeds < needed else ""
    return (
        f"{word}{few}: {model} is {abs(value):.1f} Jaccard points {side} {control} ({interval}; {_over(usable)}), for "
        f"{_times(kept['cost'], model, control)} the work per image. Best of all: {best}."
    )


def mean_with_interval(rows: pd.DataFrame, confidence: float) -> tuple[float, float, float]:
    """Mean difference over data sets, and its interval, from each data set's own.

    The data sets are these ones, not a sample of others: the errors of independent means add up in squares.
    """
    from scipy import stats  # here, since most of the report does without

    width = 2 * float(stats.norm.ppf((1 + confidence) / 2))
    errors = ((rows["high"] - rows["low"]) / width).to_numpy(dtype=float)
    centre = float(rows["difference"].mean())
    reach = width / 2 * math.sqrt(float((errors**2).sum())) / len(rows)
    return centre, centre - reach, centre + reach


def which_to_use(name: str, own: Tables, loaded: Params, warned: Sequence[Warning]) -> str:
    """For a data set of one's own: which model to use, how good it is, and what to do next.

    The cheapest of those that aren't shown to be worse than the best.
    """
    best = _best(own["summary"])
    beside = tables.above(own["comparisons"], best)
    equal = [best, *beside["model"][beside["high"] >= 0]]
    work = own["cost"].set_index("model")["work"]
    chosen = str(work[[model for model in work.index if model in equal]].idxmin())
    intervals = own["intervals"]
    row = tables.records(intervals[(intervals["model"] == chosen) & (intervals["measure"] == "jaccard")])[0]
    why = "the best" if chosen == best else f"not shown to be worse than {best}, and cheaper"
    numbers = f"Jaccard {100 * row['mean']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    remedies = [one.remedy for one in warned if one.model == chosen]
    then = (
        remedies[0] if remedies else "add images" if loaded.run.tuned.models else "tune it (run.tuned), or add images"
    )
    return f"On {name}, use {chosen} ({why}): {numbers}. Next: {then}."


def _best(summary: pd.DataFrame) -> str:
    networks = summary[~summary["model"].isin(BASELINES)]
    return str(networks.groupby("model", sort=False)["jaccard"].mean().idxmax())


def _over(datasets: Sequence[str]) -> str:
    return f"mean over {len(datasets)} data sets" if len(datasets) > 1 else f"on {datasets[0]}"


def _times(cost: pd.DataFrame, model: str, control: str) -> str:
    work = cost.pivot_table(index="dataset", columns="model", values="work")
    return f"{(work[model] / work[control]).mean():.1f} times"

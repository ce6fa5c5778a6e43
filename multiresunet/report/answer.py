"""The page's first sentence: who is best, by how much, against which control, at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from multiresunet.config import Params
from multiresunet.evaluation import BASELINES, TOO_FEW
from multiresunet.report import tables
from multiresunet.report.advice import BASELINE, RISES, Warning

Tables = Mapping[str, pd.DataFrame]


def control_of(loaded: Params) -> str | None:
    """The model that the others are shown beside: the planned reference, or the first of the references, in the run."""
    wanted = [*loaded.evaluate.confirmatory[1:], *loaded.evaluate.references]
    return next((name for name in wanted if name in loaded.run.models), None)


def planned(loaded: Params) -> tuple[str, str] | None:
    """The planned comparison, model and control, if both are in the run."""
    pair = loaded.evaluate.confirmatory
    return (pair[0], pair[1]) if pair and set(pair) <= set(loaded.run.models) else None


def headline(kept: Tables, loaded: Params, poor: Mapping[str, set[str]]) -> list[str]:
    """Sentences that answer: the planned comparison, the best network beside the same control, and what is left out.

    Without a planned comparison the best network comes first.

    Args:
        kept: the tables in metrics/, by name.
        loaded: params.yaml.
        poor: for each data set the models that hardly beat the baselines.
    """
    control, pair = control_of(loaded), planned(loaded)
    compared = set(pair or ([control] if control else []))
    failed = {name: sorted(poor[name] & compared) for name in loaded.run.datasets if poor[name] & compared}
    few = {name: words for name, words in too_few(kept["comparisons"]).items() if name not in failed}
    usable = [name for name in loaded.run.datasets if name not in failed and name not in few]
    without = [f"Left out: {name}, where {_and(names)} {_fails(names)}." for name, names in failed.items()]
    without += [f"Left out: {name}, with {words}." for name, words in few.items()]
    if few and not usable:
        return ["No answer yet: no data set has images enough on which the networks work.", *without]
    if not usable:
        if names := sorted(set.intersection(*map(set, failed.values()))):
            return [f"No answer yet: {_and(names)} {_fails(names)} on any data set; train longer."]
        return [f"No answer yet: on every data set one of the two networks {BASELINE}; train longer.", *without]
    best = _best(kept["summary"], loaded.run.models, {name: poor[name] for name in usable})
    if best is None:
        return ["No answer yet: every network hardly beats the baselines on at least one data set; train longer."]
    said = []
    if pair:
        found = _beside(kept, pair, usable, loaded)
        clear = "Yes" if found.low > 0 else "No" if found.high < 0 else "Not shown"
        word = "It depends on the images" if found.mixed else clear
        said.append(
            f"{word}{found.few}: {pair[0]} is {found.words}, {_over(usable)}{found.ahead}, for {found.work} the work "
            "per image."
        )
    else:
        scores = kept["summary"][(kept["summary"]["model"] == best) & kept["summary"]["dataset"].isin(usable)]
        said.append(f"{best} scores best: a Jaccard index of {100 * scores['jaccard'].mean():.1f} %, {_over(usable)}.")
    if control and best not in (control, *compared):
        found = _beside(kept, (best, control), usable, loaded)
        chance = found.few if found.low > 0 else ", which may be chance"
        said.append(f"The best network, {best}, is {found.words}{chance}, for {found.work} the work.")
    elif pair:
        said.append(f"The best network is {best}.")
    return [*said, *without]


def too_few(comparisons: pd.DataFrame) -> dict[str, str]:
    """The data sets on which nothing can be concluded, however the networks score, and of what they have too little."""
    notes = comparisons.drop_duplicates("dataset").set_index("dataset")["note"]
    return {
        str(name): str(note).removeprefix(TOO_FEW).strip() for name, note in notes.items() if note.startswith(TOO_FEW)
    }


def unfinished(warned: Mapping[str, Sequence[Warning]], loaded: Params) -> list[str]:
    """A sentence on which of the two that the answer compares would still gain by longer training, and where.

    Args:
        warned: for each data set what is wrong with its models.
        loaded: params.yaml.
    """
    places = {
        model: [
            name for name, several in warned.items() if (model, RISES) in {(one.model, one.kind) for one in several}
        ]
        for model in planned(loaded) or ()
    }
    said = [f"{model} on {_and(names)}" for model, names in places.items() if names]
    return [f"Not trained to the end, so with room to gain: {'; '.join(said)}."] if said else []


class Beside(NamedTuple):
    """A model's difference to a control, mean over data sets.

    In words; the interval, in points; how many times the work; if there are too few seeds, how many there are; on how
    many of several data sets the model scores higher, since one of them may decide the mean; and whether it is above
    the control on one and below on another, by their intervals and corrected p-values. Then `ahead` names these.
    """

    words: str
    low: float
    high: float
    work: str
    few: str
    ahead: str
    mixed: bool


def _beside(kept: Tables, pair: tuple[str, str], datasets: Sequence[str], loaded: Params) -> Beside:
    model, control = pair
    rows = tables.above(kept["comparisons"], control)
    rows = rows[(rows["model"] == model) & rows["dataset"].isin(datasets)]
    confidence = loaded.evaluate.statistics.confidence
    value, low, high = (100 * number for number in mean_with_interval(rows))
    ends = sorted((abs(low), abs(high)))
    between = f"{ends[0]:.1f} to {ends[1]:.1f}" if low * high > 0 else f"{-low:.1f} below to {high:.1f} above"
    side = "above" if value >= 0 else "below"
    words = f"{abs(value):.1f} Jaccard points {side} {control} ({100 * confidence:.0f} % interval {between})"
    work = kept["cost"].pivot_table(index="dataset", columns="model", values="work")
    times = (work[model] / work[control]).reindex(list(datasets)).mean()
    seeds, needed = int(rows["seeds"].min()), loaded.evaluate.verdict.seeds
    few = f", preliminary ({seeds} of {needed} seeds)" if seeds < needed else ""
    ahead = f", ahead on {(rows['difference'] > 0).sum()} of them" if len(rows) > 1 else ""
    sure = rows["p_corrected"] < loaded.evaluate.verdict.level
    higher, lower = rows["dataset"][sure & (rows["low"] > 0)], rows["dataset"][sure & (rows["high"] < 0)]
    if mixed := len(higher) > 0 and len(lower) > 0:
        ahead = f", clearly above on {_and(higher)} and clearly below on {_and(lower)}"
    return Beside(words, low, high, f"{times:.1f} times", few, ahead, mixed)


def mean_with_interval(rows: pd.DataFrame) -> tuple[float, float, float]:
    """Mean difference over data sets, and its interval, from each data set's own; of one it is its own.

    The data sets are these ones, not a sample of others. What lies between independent means and the ends of their
    intervals adds up in squares, on either side by itself, since not all are symmetric (Zou & Donner 2008).
    """
    centre = float(rows["difference"].mean())
    below, above = (
        math.sqrt(float(((rows[end] - rows["difference"]) ** 2).to_numpy(dtype=float).sum())) / len(rows)
        for end in ("low", "high")
    )
    return centre, centre - below, centre + above


def which_to_use(name: str, own: Tables, loaded: Params, warned: Sequence[Warning]) -> str:
    """For a data set of one's own: which model to use, how good it is, and what to do next.

    The cheapest of those that clearly beat the baselines and aren't shown to be worse than the best of them.
    """
    poor = [one.model for one in warned if one.kind == BASELINE]
    summary = own["summary"]
    sound = summary[~summary["model"].isin([*BASELINES, *poor])]
    if sound.empty:
        return f"On {name}, use none of the networks yet: all hardly beat the baselines. Next: {warned[0].remedy}."
    best = str(sound["model"].iloc[int(sound["jaccard"].to_numpy().argmax())])
    beside = tables.above(own["comparisons"], best)
    equal = {best, *beside["model"][~(beside["high"] < 0)]}.intersection(sound["model"])  # no interval shows nothing
    work = own["cost"].set_index("model")["work"]
    chosen = str(work[[model for model in work.index if model in equal]].idxmin())
    intervals = own["intervals"]
    row = tables.records(intervals[(intervals["model"] == chosen) & (intervals["measure"] == "jaccard")])[0]
    why = "the best" if chosen == best else f"not shown to be worse than {best}, and cheaper"
    known = math.isfinite(row["low"])
    interval = f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})" if known else ", with no interval"
    numbers = f"Jaccard {100 * row['mean']:.1f} %{interval}"
    remedies = [one.remedy for one in warned if one.model == chosen]
    then = (
        remedies[0] if remedies else "add images" if loaded.run.tuned.models else "tune it (run.tuned), or add images"
    )
    return f"On {name}, use {chosen} ({why}): {numbers}. Next: {then}."


def _best(summary: pd.DataFrame, models: Sequence[str], poor: Mapping[str, set[str]]) -> str | None:
    """Whose mean over these data sets is highest, of the models that clearly beat the baselines on all of them."""
    sound = [model for model in models if not any(model in names for names in poor.values())]
    scores = summary[summary["dataset"].isin(poor) & summary["model"].isin(sound)]
    return str(scores.groupby("model", sort=False)["jaccard"].mean().idxmax()) if len(scores) else None


def _and(names: Iterable[str]) -> str:
    """Names in a sentence: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _fails(names: Sequence[str]) -> str:
    return BASELINE if len(names) == 1 else BASELINE.replace("beats", "beat")


def _over(datasets: Sequence[str]) -> str:
    return f"mean over {len(datasets)} data sets" if len(datasets) > 1 else f"on {datasets[0]}"

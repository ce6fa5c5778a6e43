"""How far tables lie apart that the same commit makes in other arithmetic, and with another seed.

    python -m benchmarks.arithmetic_spread [--commit main] [--seeds 1 2] [--set run.datasets=[nuclei,membranes]]

Makes the commit's tables as its recipe says, in native arithmetic, with four threads, and with other seeds; prints for
each column of the tables the largest difference from the first. `verify.tolerances` in params.yaml come from here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import yaml

from multiresunet.review.changes import Change
from multiresunet.review.markdown import table
from multiresunet.review.verify import How, of_commit

THREADS = 4


def spread(cells: Iterable[Change]) -> dict[tuple[str, str], float]:
    """The largest difference of each table's column; infinite where a number came or went."""
    found: dict[tuple[str, str], float] = {}
    for cell in cells:
        numbers = isinstance(cell.old, float) or isinstance(cell.new, float)
        if numbers:
            size = abs(cell.difference) if cell.difference is not None else float("inf")
            found[cell.table, cell.column] = max(size, found.get((cell.table, cell.column), 0.0))
    return found


def joined(spreads: Iterable[dict[tuple[str, str], float]]) -> dict[tuple[str, str], float]:
    """The largest of several spreads."""
    found: dict[tuple[str, str], float] = {}
    for one in spreads:
        for key, size in one.items():
            found[key] = max(size, found.get(key, 0.0))
    return found


def main() -> None:
    """Make the tables and print the spread."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--commit", default="HEAD")
    words.add_argument("--seeds", nargs="*", type=int, default=[])
    words.add_argument("--set", action="append", default=[], help="KEY=VALUE of params.yaml, for all runs")
    given = words.parse_args()
    base = {key: yaml.safe_load(value) for key, _, value in (one.partition("=") for one in given.set)}
    native = How(arithmetic="native", settings=base)
    variants = {"other arithmetic": [native, How(arithmetic="native", threads=THREADS, settings=base)]}
    variants["other seeds"] = [How(settings={**base, "seed": seed}) for seed in given.seeds]
    found = {
        name: joined(
            spread(cell for one in of_commit(given.commit, how).tables for cell in one.all_cells) for how in hows
        )
        for name, hows in variants.items()
    }
    rows = [
        (f"{key[0]}.{key[1]}", *(f"{one.get(key, 0):.4g}" for one in found.values()))
        for key in sorted(set().union(*found.values()))
    ]
    print(table(("column", *found), rows))


if __name__ == "__main__":
    main()

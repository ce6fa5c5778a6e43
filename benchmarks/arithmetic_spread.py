"""How far tables lie apart that the same commit makes in other arithmetic: where `verify.tolerances` come from.

    python -m benchmarks.arithmetic_spread [--commit main] [--threads 4] [--set seed=2]

Makes the commit's tables in native arithmetic, and prints for each pattern of `verify.tolerances` how many values it
fits that differ, their median and largest difference, and where that is. Patterns that say null are left out.
"""

from __future__ import annotations

import argparse
from statistics import median

import yaml

from multiresunet.config import Verify
from multiresunet.review.judgement import Difference
from multiresunet.review.markdown import table
from multiresunet.review.verify import How, of_commit


def by_pattern(differences: list[Difference], rule: Verify) -> dict[str, list[Difference]]:
    """The differences that each pattern decides, the largest first; "" for those that none fits."""
    found: dict[str, list[Difference]] = {pattern: [] for pattern in [*rule.tolerances, ""]}
    for one in sorted(differences, key=lambda one: -one.size):
        found[rule.pattern(one.change.name) or ""].append(one)
    return found


def main() -> None:
    """Make the tables and print the spread."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--commit", default="HEAD")
    words.add_argument("--threads", type=int)
    words.add_argument("--set", action="append", default=[], help="KEY=VALUE of params.yaml")
    given = words.parse_args()
    settings = {key: yaml.safe_load(value) for key, _, value in (one.partition("=") for one in given.set)}
    found = of_commit(given.commit, How(arithmetic="native", threads=given.threads, settings=settings))
    rows = [
        (f"`{pattern}`", str(len(ones)), f"{median(one.size for one in ones):.2g}", f"{ones[0].size:.3g}", str(ones[0]))
        for pattern, ones in by_pattern(found.differences, found.rule).items()
        if ones
    ]
    print(table(("pattern", "differ", "median", "largest", "where"), rows))
    print(found.line())


if __name__ == "__main__":
    main()

"""The gate: a Great Expectations suite over the facts; nothing wrong gets past it."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.files import some_of

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
import great_expectations as gx  # after the switch above


def judge(facts: pd.DataFrame, suite_file: Path) -> list[dict[str, Any]]:
    """Hold the facts against a suite.

    Returns:
        One finding for each expectation, in the suite's order: expectation, column, success, samples (names
        of those that fail), remedy (the suite's note).
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    suite = context.suites.add(gx.ExpectationSuite(**json.loads(suite_file.read_text(encoding="utf-8"))))
    batch = (
        context.data_sources.add_pandas("facts")
        .add_dataframe_asset("facts")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": facts})
    )
    result = batch.validate(
        suite, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["sample"]}
    )
    return [_finding(one) for one in result.results]


def complaint(name: str, facts: pd.DataFrame, findings: list[dict[str, Any]]) -> str | None:
    """One line that names what fails and which samples, or None if all is well."""
    parts = []
    for finding in findings:
        if finding["success"]:
            continue
        problems = [p for p in facts.set_index("sample")["problem"].reindex(finding["samples"]) if p]
        if finding["column"] == "problem":
            parts.append("; ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else ""))
        else:
            parts.append(f"{finding['remedy']} ({some_of(finding['samples']) or 'the whole data set'})")
    return f"{name}: {'; '.join(parts)}" if parts else None


def _finding(one: Any) -> dict[str, Any]:
    config = one.expectation_config
    index = one.result.get("unexpected_index_list") or []
    return {
        "expectation": config.type,
        "column": config.kwargs.get("column")
        or "/".join(config.kwargs.get(k, "") for k in ("column_A", "column_B") if k in config.kwargs),
        "success": bool(one.success),
        "samples": sorted({str(row["sample"]) for row in index}),
        "remedy": (config.notes if isinstance(config.notes, str) else "") or "",
    }

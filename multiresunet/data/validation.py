"""Validation: a Great Expectations suite over the facts; a failed expectation stops the pipeline."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from multiresunet.config import MaskRule
from multiresunet.errors import UserError
from multiresunet.files import some_of

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
import great_expectations as gx  # after the switch above

ALL = "samples.json"


def suites(folder: Path, name: str) -> list[Path]:
    """The suites that apply to a data set: the one for all, and its own if it has one."""
    own = folder / f"{name}.json"
    return [folder / ALL, *([own] if own.is_file() and own.name != ALL else [])]


def judge(facts: pd.DataFrame, suite_file: Path, rule: MaskRule | None = None) -> list[dict[str, Any]]:
    """Compare the facts with a suite.

    Args:
        facts: from `profile`.
        suite_file: JSON as Great Expectations writes it; severity `warning` doesn't stop.
        rule: of the data set; says which share of masks may be empty or full, else none may.

    Returns:
        One finding for each expectation, in the suite's order: expectation, column, severity, success, samples
        (names of those that fail), title, remedy (the suite's note).

    Raises:
        UserError: if the suite can't be read, or names a column that the facts don't have.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    try:
        written = json.loads(suite_file.read_text(encoding="utf-8"))
        suite = context.suites.add(gx.ExpectationSuite(**written))
    except FileNotFoundError:
        raise UserError(f"{suite_file}: this suite of expectations is missing; restore it from git") from None
    except Exception as error:  # what Great Expectations and pydantic raise for a bad suite is of many kinds
        raise UserError(f"{suite_file}: not a suite of expectations ({error}); fix it") from None
    if len(suite.expectations) != len(written.get("expectations", [])):  # it drops what it doesn't know
        known = {each.expectation_type for each in suite.expectations}
        odd = [each["type"] for each in written["expectations"] if each["type"] not in known]
        raise UserError(f"{suite_file}: {some_of(odd) or 'an expectation'} isn't known, or twice there; fix it")
    batch = (
        context.data_sources.add_pandas("facts")
        .add_dataframe_asset("facts")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": facts})
    )
    result = batch.validate(
        suite,
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["sample"]},
        expectation_parameters={
            "mostly_not_empty": 1 - ((rule and rule.empty) or 0),
            "mostly_not_full": 1 - ((rule and rule.full) or 0),
        },
    )
    for one in result.results:
        if one.exception_info and _message(one.exception_info):
            reason = _message(one.exception_info)
            config: Any = one.expectation_config
            raise UserError(f"{suite_file}: {config.type} can't be judged ({reason}); fix it")
    return [_finding(one) for one in result.results]


def _message(info: dict[str, Any]) -> str:
    """Why an expectation couldn't be judged; nested by metric, or not."""
    for each in (info, *(value for value in info.values() if isinstance(value, dict))):
        if each.get("raised_exception"):
            return str(each.get("exception_message"))
    return ""


def notes(facts: pd.DataFrame) -> dict[str, int]:
    """What was converted on reading, and in how many samples."""
    counts = Counter(note for cell in facts["notes"] for note in cell.split("; ") if note)
    return dict(sorted(counts.items()))


def complaint(name: str, facts: pd.DataFrame, findings: list[dict[str, Any]]) -> str | None:
    """One line that names what fails and which samples, or None if all is well."""
    parts = []
    for finding in findings:
        if finding["success"] or finding["severity"] == "warning":
            continue
        problems = [p for p in facts.set_index("sample")["problem"].reindex(finding["samples"]) if p]
        if finding["column"] == "problem":
            parts.append("; ".join(problems[:5]) + (f" and {len(problems) - 5} more" if len(problems) > 5 else ""))
        else:
            names = some_of(finding["samples"]) or "the whole data set"
            parts.append(f"{finding['remedy']} ({names}){_allowing(finding, len(facts))}")
    return f"{name}: {'; '.join(parts)}" if parts else None


def _allowing(finding: dict[str, Any], total: int) -> str:
    """How to allow masks that are empty, or full, where they are right."""
    if finding["column"] != "foreground_share":
        return ""
    key = "full" if "everything" in finding["title"] else "empty"
    share = -(-100 * len(finding["samples"]) // total) / 100
    return f", or, if that is right, allow it with mask.{key}: {share:g} in params.yaml"


def _finding(one: Any) -> dict[str, Any]:
    config = one.expectation_config
    index = one.result.get("unexpected_index_list") or []
    return {
        "expectation": config.type,
        "column": config.kwargs.get("column")
        or "/".join(config.kwargs.get(k, "") for k in ("column_A", "column_B") if k in config.kwargs),
        "severity": "warning" if config.severity == "warning" else "critical",
        "success": bool(one.success),
        "samples": [] if one.success else sorted({str(row["sample"]) for row in index}),
        "title": (config.meta or {}).get("title", ""),
        "remedy": (config.notes if isinstance(config.notes, str) else "") or "",
    }

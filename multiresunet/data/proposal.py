"""Look at a user's files and propose what params.yaml would say; where two readings are possible, say both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from multiresunet.config import Dataset, MaskRule
from multiresunet.data import labels, scanning
from multiresunet.data.geometry import proposed_size
from multiresunet.data.labels import Reading
from multiresunet.data.manifest import JOIN, Sample, parts
from multiresunet.data.scanning import Seen
from multiresunet.data.space import different
from multiresunet.errors import UserError
from multiresunet.paper import STEP

LARGEST_2D, LARGEST_3D = 256, 96  # longest side that is proposed
GROUPS = 5  # groups that the folds of most recipes need
FULL_RANGE = {"uint8": 255, "uint16": 65535}


@dataclass(frozen=True)
class Answers:
    """What the user has said about the files.

    rule: the mask's rule, whole; form: only how masks are read (alpha, colours).
    pages: what a TIFF's pages are.
    grouped: whether the user has said what the groups are.
    """

    rule: dict[str, Any] | None = None
    alpha: bool | None = None
    colours: dict[str, int] | None = None
    pages: str | None = None
    grouped: bool = False

    def filled(self, rule: dict[str, Any] | None) -> Answers:
        """With the rule that the files themselves state, unless the user has given one."""
        return self if rule is None or self.rule is not None else replace(self, rule=rule)

    @property
    def form(self) -> dict[str, Any]:
        """The keys of `mask` that say how masks are read."""
        keys = {"alpha": self.alpha, "colours": self.colours}
        return {key: value for key, value in keys.items() if value is not None}


@dataclass(frozen=True)
class Proposal:
    """An entry for params.yaml, in words why it is so, and the readings of the masks if there are several."""

    entry: dict[str, Any]
    reasons: list[str]
    open: list[Reading] = field(default_factory=list)

    @property
    def dataset(self) -> Dataset:
        """The entry, checked."""
        return Dataset.model_validate(self.entry)

    def with_rule(self, rule: dict[str, Any]) -> Dataset:
        """The entry with another rule for masks."""
        return Dataset.model_validate(self.entry | {"mask": rule})


def propose(folder: Path, samples: list[Sample], source: dict[str, Any], modality: str, answers: Answers) -> Proposal:
    """Look at the samples of a folder, and propose an entry.

    Args:
        folder: with the files.
        samples: their names in it.
        source: of the entry.
        modality: what the images are.
        answers: what the user has said.

    Raises:
        UserError: naming the files that can't be read, or are unlike the others.
    """
    form = answers.form or {key: (answers.rule or {}).get(key) for key in ("alpha", "colours")}
    seen = scanning.look(folder, samples, MaskRule.model_validate({"above": 0, **form}), answers.pages)
    found = _rules(folder, seen, answers, apart=scanning.instances_apart(samples))
    shapes = np.array([one.shape for one in seen])
    typical = np.median(shapes, axis=0)
    volumes = len(typical) == 3
    size = list(proposed_size(tuple(typical.tolist()), LARGEST_3D if volumes else LARGEST_2D))
    normalisation, scale = _normalisation(seen, volumes)
    groups = sorted({sample.group for sample in samples} - {""})
    entry: dict[str, Any] = {
        "modality": modality,
        "source": source,
        "size": size,
        "channels": seen[0].channels,
        "fit": "resize",
        "normalisation": normalisation,
        "mask": found[0].rule,
        "groups": bool(groups) if answers.grouped else len(groups) >= GROUPS,
    }
    if answers.pages:
        entry["pages"] = answers.pages
    many = JOIN in samples[0].image
    reasons = [
        f"size: images are {'×'.join(str(int(side)) for side in typical)} (median); sides in multiples of {STEP}",
        f"channels: {seen[0].channels} in {'several files' if many else 'each file'}"
        + (f", in the order {', '.join(Path(file).name for file in parts(samples[0].image))}" if many else ""),
        f"normalisation: {scale}",
        *_spacings(seen),
        "mask: values " + ", ".join(f"{v} ({s:.2%})" for v, s in list(labels.shares(_values(seen)).items())[:12]),
        *([f"mask: {found[0].why}"] if len(found) == 1 else []),
        *(_polarity(seen, found[0].rule) if len(found) == 1 else []),
        _groups(groups, entry["groups"]),
        *(f"read: {note}" for note in scanning.conversions(seen)),
    ]
    return Proposal(entry, reasons, found if len(found) > 1 else [])


def _values(seen: list[Seen]) -> list[labels.Values]:
    return [one.values for one in seen]


def _rules(folder: Path, seen: list[Seen], answers: Answers, *, apart: bool) -> list[Reading]:
    """The rule that the user gave, or those that the masks' values allow, each with how masks are read."""
    if answers.rule is not None:
        return [Reading(answers.form | answers.rule, "as was said")]
    try:
        found = labels.readings(_values(seen), separate=apart, jpeg=any(one.jpeg for one in seen))
    except ValueError as error:
        raise UserError(f"{folder}: all masks {error}; see whether they are the masks") from None
    return [Reading(answers.form | one.rule, one.why) for one in found]


def _normalisation(seen: list[Seen], volumes: bool) -> tuple[str, str]:
    """`rescale` where the type's range is used; else `zscore`; and why."""
    kinds = sorted({one.kind for one in seen})
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    said = f"{' and '.join(kinds)}, values from {low:g} to {high:g}"
    top = FULL_RANGE.get(kinds[0]) if len(kinds) == 1 and not volumes else None
    if top is not None and all(one.kind == "uint8" or one.high > top / 8 for one in seen):
        return "rescale", f"{said}; the range to {top} is used"
    return "zscore", f"{said}; the scale isn't known, so each image gets mean 0 and deviation 1"


def _polarity(seen: list[Seen], rule: dict[str, Any]) -> list[str]:
    """Shares of foreground and empty masks, and a warning where a mask looks inverted."""
    if "above" in rule:
        inside = {v for one in seen for v in one.values if v > rule["above"] and v != rule.get("ignore")}
    else:
        inside = set(rule["foreground"])
    pixels = [sum(value.pixels for number, value in one.values.items() if number in inside) for one in seen]
    totals = [int(np.prod(one.mask_shape)) for one in seen]
    frames = [
        sum(v.frame for n, v in one.values.items() if n in inside) / max(sum(v.frame for v in one.values.values()), 1)
        for one in seen
    ]
    said = [f"mask: {sum(pixels) / sum(totals):.2%} of all pixels are foreground"]
    empty = sum(not count for count in pixels)
    if empty:
        share = np.ceil(100 * empty / len(seen)) / 100
        said.append(
            f"mask: {empty} of {len(seen)} are empty; if nothing is there to mark, allow it with mask.empty: {share:g}"
        )
    inverted = sum(
        count > total / 2 and frame > 0.5 for count, total, frame in zip(pixels, totals, frames, strict=True)
    )
    if inverted * 2 > len(seen):
        said.append(
            f"WARNING: in {inverted} of {len(seen)} masks the foreground is more than half and lies along the frame; "
            "see on the contact sheet whether object and background are the wrong way round"
        )
    return said


def _spacings(seen: list[Seen]) -> list[str]:
    """The spacing, and a warning where it differs and resizing would leave it aside."""
    known = [one.spacing for one in seen if one.spacing is not None]
    if not known:
        return []
    middle = tuple(float(side) for side in np.median(np.array([s for s in known if len(s) == len(known[0])]), axis=0))
    said = [f"spacing: {'×'.join(f'{side:.4g}' for side in middle)} mm (median of {len(known)} samples)"]
    odd = [one.sample for one in seen if one.spacing and different(one.spacing, middle, 0.05)]
    if odd:
        said.append(f"WARNING: spacings differ, in {len(odd)} samples by more than 5 %; fit: resize leaves that aside")
    return said


def _groups(groups: list[str], used: bool) -> str:
    if not groups:
        return "groups: none; --group-pattern finds them in the names"
    names = ", ".join(groups[:5]) + (" …" if len(groups) > 5 else "")
    return f"groups: {len(groups)} ({names})" + ("" if used else f"; fewer than {GROUPS}, so folds don't go by them")

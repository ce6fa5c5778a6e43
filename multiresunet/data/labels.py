"""What a mask's values mean, measured: labels are plateaus, grey edges are thin, void is 255 beside small labels.

Where two readings are possible, both are returned, and none is chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.measure import label

from multiresunet.data.measures import counts_of
from multiresunet.data.readers import Array

HEAVY = 2**22  # pixels above which a mask's components aren't counted, only its values
SMALL = 32  # labels up to it are small beside 255
EDGES = 9  # values between background and foreground that smoothing leaves, at least
NOISE = 16  # how far JPEG moves values
FEW = 8  # classes that are proposed without a question


@dataclass(frozen=True)
class Value:
    """One value of one mask. Shares are of its own pixels.

    pixels, frame: how many it has, and how many of them lie on the mask's frame.
    inner: the share that has the same value all around.
    between: the share that has both a lower and a higher value next to it.
    components: connected regions; 0 if they weren't counted.
    """

    pixels: int
    frame: int
    inner: float = 0.0
    between: float = 0.0
    components: int = 0


Values = dict[int, Value]  # of one mask


@dataclass(frozen=True)
class Reading:
    """A rule for params.yaml, and in words why."""

    rule: dict[str, Any]
    why: str


def measure(mask: Array) -> Values:
    """Every value of a mask (D×)H×W and where it lies."""
    counts = counts_of(mask)
    inside = counts_of(mask[(slice(1, -1),) * min(mask.ndim, 2)])  # a volume's first and last slices aren't its frame
    if mask.size > HEAVY or len(counts) > 4096:
        return {value: Value(count, count - inside[value]) for value, count in sorted(counts.items())}
    found = np.array(sorted(counts))
    pixels = np.array([counts[value] for value in found.tolist()])
    frame = pixels - [inside[value] for value in found.tolist()]
    index = np.searchsorted(found, mask).astype(np.int16)
    low = ndimage.minimum_filter(index, 3, mode="nearest")
    high = ndimage.maximum_filter(index, 3, mode="nearest")
    inner = np.bincount(index[(low == index) & (high == index)], minlength=len(found)) / pixels
    between = np.bincount(index[(low < index) & (high > index)], minlength=len(found)) / pixels
    regions = label(index, background=-1, connectivity=mask.ndim)
    of_region = np.zeros(int(regions.max()) + 1, np.int16)
    of_region[regions.ravel()] = index.ravel()
    components = np.bincount(of_region[1:], minlength=len(found))
    parts = zip(found, pixels, frame, inner, between, components, strict=True)
    return {int(v): Value(int(p), int(f), float(i), float(b), int(c)) for v, p, f, i, b, c in parts}


def shares(masks: Iterable[Values]) -> dict[int, float]:
    """Each value's share of all pixels, the values in order."""
    totals: dict[int, int] = defaultdict(int)
    for values in masks:
        for number, value in values.items():
            totals[number] += value.pixels
    everything = sum(totals.values())
    return {number: totals[number] / everything for number in sorted(totals)}


def readings(masks: list[Values], *, separate: bool = False, jpeg: bool = False) -> list[Reading]:
    """What the masks' values can mean: one reading that is certain, or several, of which a person must choose.

    Args:
        masks: from `measure`.
        separate: whether each instance is a file of its own.
        jpeg: whether masks are stored as JPEG.

    Raises:
        ValueError: if all masks hold one and the same value.
    """
    share = shares(masks)
    if len(share) < 2:
        raise ValueError(f"hold the one value {in_words(list(share))}")
    return _Masks(masks, share, separate, jpeg).readings()


def in_words(values: Iterable[int], most: int = 8) -> str:
    """Values with commas, the first few."""
    numbers = list(values)
    return ", ".join(map(str, numbers[:most])) + (" …" if len(numbers) > most else "")


class _Masks:
    """The masks' values together."""

    def __init__(self, masks: list[Values], share: dict[int, float], separate: bool, jpeg: bool) -> None:
        self.masks, self.share, self.separate, self.jpeg = masks, share, separate, jpeg
        self.values = list(share)

    def readings(self) -> list[Reading]:
        low, high = self.values[0], self.values[-1]
        if len(self.values) == 2:
            why = f"two values, {low} and {high}: {high} is foreground"
            binary = Reading({"values": self.values, "foreground": [high]}, why)
            return [binary] if low == 0 else [binary, self._only(low)]
        if low < 0:
            if self.values[1] == 0:
                return self._without(low, f"{low} is below all labels, so it is left out (ignore)")
            positive = [value for value in self.values if value > 0]
            rule = {"values": self.values, "foreground": positive or [high]}
            return [Reading(rule, "all above 0 are foreground"), self._all_but_lowest()]
        if high >= 100 and (found := self._grey_edges(low, high)):
            return found
        if high == 255 and self.values[-2] <= SMALL:
            return self._without(255, "255 lies beside small labels, so it is void and left out (ignore)")
        if high >= 100 and self._is_rim(high):
            return [*self._labels(), *self._without(high, f"{high} is a thin rim, which may be void")]
        return self._labels()

    def _without(self, ignore: int, why: str) -> list[Reading]:
        """The readings of the other values, with one that is ignored."""
        masks = [{number: one for number, one in values.items() if number != ignore} for values in self.masks]
        rest = _Masks(masks, shares(masks), self.separate, self.jpeg)
        return [Reading(one.rule | {"ignore": ignore}, f"{one.why}; {why}") for one in rest.readings()]

    def _only(self, value: int) -> Reading:
        return Reading({"values": self.values, "foreground": [value]}, f"{value} alone is foreground")

    def _all_but_lowest(self) -> Reading:
        return Reading({"values": self.values, "foreground": self.values[1:]}, "all but the lowest are foreground")

    def _total(self, value: int, what: str) -> float:
        """The mean of a share over the masks that hold a value, by its pixels."""
        held = [values[value] for values in self.masks if value in values]
        return float(sum(getattr(one, what) * one.pixels for one in held) / sum(one.pixels for one in held))

    def _blurred(self, values: list[int]) -> bool:
        """Whether values have no inside, and lie between lower and higher ones."""
        weights = np.array([self.share[value] for value in values])
        inner = np.array([self._total(value, "inner") for value in values])
        between = np.array([self._total(value, "between") for value in values])
        return bool((inner @ weights) <= 0.05 * weights.sum() and (between @ weights) >= 0.9 * weights.sum())

    def _is_rim(self, value: int) -> bool:
        others = [self._total(other, "inner") for other in self.values[1:-1]]
        return bool(self._total(value, "inner") <= 0.1 and max(others, default=0.0) >= 0.4)

    def _grey_edges(self, low: int, high: int) -> list[Reading]:
        """What grey edges, or a JPEG, mean; empty if the values look like labels."""
        middle, half = self.values[1:-1], low + (high - low) // 2
        edges = Reading({"above": half}, f"values between {low} and {high} lie along edges: above {half} is foreground")
        solid = self._total(high, "inner") > 0.05 or self._total(low, "inner") > 0.5
        plateaus = [value for value in middle if self._total(value, "inner") > 0.2]
        if solid and len(middle) >= EDGES and not plateaus and self._blurred(middle):
            return [edges]
        near = sum(share for value, share in self.share.items() if min(value - low, high - value) <= NOISE)
        if self.jpeg and near >= 0.97:
            return [
                Reading(
                    edges.rule, f"values lie near {low} and {high}, as JPEG leaves them: above {half} is foreground"
                )
            ]
        if near >= 0.97 and len(middle) >= EDGES and not plateaus and not self._looks_numbered():
            return [edges, self._all_but_lowest()]
        thin = [value for value in middle if self._total(value, "inner") <= 0.1]
        if not thin or not (plateaus or solid) or (len(thin) > 1 and self._looks_numbered() and self._spot(thin) >= 5):
            return []
        found = [edges]
        if len(middle) == 1:
            rule = {"values": [low, high], "foreground": [high], "ignore": thin[0]}
            found.append(Reading(rule, f"{thin[0]} is a rim that is left out (ignore)"))
        if high == 255 and middle[-1] <= SMALL:
            rule = {"values": self.values[:-1], "foreground": middle, "ignore": high}
            found.append(Reading(rule, f"{high} is void (ignore), {in_words(middle)} are foreground"))
        few = len(self.values) <= 2 * SMALL
        return [*found, self._all_but_lowest() if few else Reading({"above": low}, f"all above {low} is foreground")]

    def _looks_numbered(self) -> bool:
        """Whether nearly every value is one region in each mask that holds it."""
        counted = [
            one.components for values in self.masks for number, one in values.items() if number and one.components
        ]
        return bool(counted) and float(np.mean(np.array(counted) == 1)) >= 0.95

    def _spot(self, numbers: list[int]) -> float:
        """The mean number of pixels of a region that has one of some values."""
        held = [values[number] for values in self.masks for number in numbers if number in values]
        return sum(one.pixels for one in held) / max(sum(one.components for one in held), 1)

    def _labels(self) -> list[Reading]:
        """Numbered instances, or classes."""
        values, inside = self.values, self.values[1:]
        instances = Reading({"above": 0}, f"values {in_words(values)} number instances: all above 0 are foreground")
        names = {f"class_{value}": [value] for value in inside}
        classes = Reading(
            {"values": values, "foreground": inside, "classes": names},
            f"labels {in_words(values)}: each but {values[0]} is a class",
        )
        if self.separate:
            return [instances]
        if values[0] != 0:
            return [classes, instances]
        held = [each for mask in self.masks if (each := sorted(set(inside) & set(mask)))]
        often = float(np.mean([sum(value in each for each in held) / len(held) for value in inside]))
        if not self._looks_numbered():
            if len(inside) <= FEW or (len(inside) <= SMALL and often >= 0.3):
                return [classes]
            return [instances, classes if len(inside) <= SMALL else self._half()]
        if len(inside) > SMALL or often < 0.5:
            return [instances]
        equal = len({len(each) for each in held}) == 1
        counted = all(each == list(range(1, len(each) + 1)) for each in held)
        if len(inside) <= FEW and (not counted or (equal and len(inside) <= FEW // 2)):
            return [classes]
        return [instances, classes]

    def _half(self) -> Reading:
        half = self.values[-1] // 2
        return Reading({"above": half}, f"grey values: above {half} is foreground")

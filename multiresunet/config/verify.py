"""Section `verify`: how far numbers may lie apart that other arithmetic has made from the same commit."""

from __future__ import annotations

from fnmatch import fnmatchcase

from pydantic import Field, NonNegativeFloat

from multiresunet.config.base import Strict


class Verify(Strict):
    """Tolerances of the tables' values. No result depends on them, so they may be left out: none is granted then.

    tolerances: pattern of a value's name, TABLE.KEYS.COLUMN, → largest absolute difference; null: nobody compares it.
        The first pattern that fits counts.
    """

    tolerances: dict[str, NonNegativeFloat | None] = Field(default={})

    def tolerance(self, name: str) -> float | None:
        """The largest difference that a value may have; None if it isn't compared."""
        return next((most for pattern, most in self.tolerances.items() if fnmatchcase(name, pattern)), 0.0)

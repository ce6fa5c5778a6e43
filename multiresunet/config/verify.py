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

    def pattern(self, name: str) -> str | None:
        """The pattern that decides about a value; None if there is none."""
        return next((pattern for pattern in self.tolerances if fnmatchcase(name, pattern)), None)

    def tolerance(self, name: str) -> float | None:
        """The largest difference that a value may have; None if it isn't compared."""
        pattern = self.pattern(name)
        return 0.0 if pattern is None else self.tolerances[pattern]

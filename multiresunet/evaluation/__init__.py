"""Scores of predictions, and of what scores without learning."""

TRIVIAL = ("everything foreground", "Otsu threshold")

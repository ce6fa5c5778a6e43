"""Scores of predictions, and of what scores without learning."""

BASELINES = ("everything foreground", "Otsu threshold")

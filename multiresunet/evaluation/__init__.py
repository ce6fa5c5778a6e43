"""Metrics of predictions, baselines, statistics, and the claims."""

BASELINES = ("everything foreground", "Otsu threshold")
TOO_FEW = "too few to say anything:"
"""How the note of a comparison begins from which nothing can be concluded."""

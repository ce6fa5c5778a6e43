"""Metrics of predictions, baselines, statistics, and the claims."""

BASELINES = ("everything foreground", "Otsu threshold")
TOO_FEW = "too few to say anything:"
"""How a comparison's note begins where nothing can be concluded from it."""

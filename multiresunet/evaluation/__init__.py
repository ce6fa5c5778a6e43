"""Metrics of predictions, baselines, statistics, and the claims."""

BASELINES = ("everything foreground", "Otsu threshold")

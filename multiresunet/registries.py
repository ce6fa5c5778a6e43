"""The registries: what can be chosen by name, and where such things are defined.

None of those modules is imported here, so that params.yaml can be checked without PyTorch.
"""

from __future__ import annotations

from typing import Any

from multiresunet.registry import Registry

NETWORKS: Registry[Any] = Registry("network", "nets", first="unet")
LOSSES: Registry[Any] = Registry("loss", "training/losses")
PHANTOMS: Registry[Any] = Registry("phantom", "data/sources/phantom")
READERS: Registry[Any] = Registry("reader", "data/readers")
PERTURBATIONS: Registry[Any] = Registry("perturbation", "evaluation/perturbations")
METRICS: Registry[Any] = Registry("metric", "evaluation/metrics")
OUTPUTS: Registry[Any] = Registry("output", "inference/outputs")
INSTANCES: Registry[Any] = Registry("way to tell instances apart", "inference/prediction")
PACKAGES: Registry[Any] = Registry("format to export to", "inference/packages")

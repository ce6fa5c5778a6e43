"""Measurements of speed: `python -m benchmarks.NAME`. In portable arithmetic, unless MULTIRESUNET_ARITHMETIC=native."""

from multiresunet import arithmetic

arithmetic.use_by_default()

"""Libraries that most stages use, for the fork server of a flow (flows/dvc_worker.py) to load once.

None of the project's own code: it may change while a flow runs, and DVC hashes it when a stage begins.
"""

# ruff: noqa: E402 - what is loaded is no garbage, so nobody looks for some; who is forked looks again

import gc
import os

gc.disable()
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
import great_expectations
import numpy as np
import pandas as pd
import PIL.Image
import pydantic
import ruamel.yaml
import scipy.ndimage
import scipy.stats
import sklearn.model_selection
import torch
import torch._dynamo  # which each first optimiser of a process would load
import typer
import yaml

LOADED = (
    *(great_expectations, np, pd, PIL.Image, pydantic, ruamel.yaml, scipy.ndimage, scipy.stats, sklearn, torch, typer),
    yaml,
)

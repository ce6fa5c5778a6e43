"""One module for each DVC stage: read params and inputs, call the library, write the declared outputs."""

from contextlib import suppress
from importlib.util import find_spec
from sys import exit as end

if find_spec("typer") is None:  # the system's Python: somebody has called `python -m stages.X` as it is
    end("error: this Python lacks the project's packages; activate .venv: `source .venv/bin/activate`")

from multiresunet import arithmetic, config
from multiresunet.errors import UserError

if not arithmetic.loaded():  # here, before the stage that is to run imports NumPy and PyTorch
    arithmetic.use("portable", ["numpy"])  # at no cost: only networks are faster in the CPU's own way
    with suppress(UserError):  # params.yaml is wrong, which the stage says
        arithmetic.use(config.load().recipe.arithmetic, ["torch"])

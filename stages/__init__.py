"""One module for each DVC stage: read params and inputs, call the library, write the declared outputs."""

from importlib.util import find_spec
from sys import exit as end

if find_spec("typer") is None:  # the system's Python: somebody has called `python -m stages.X` as it is
    end("error: this Python lacks the project's packages; activate .venv: `source .venv/bin/activate`")

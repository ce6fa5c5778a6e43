"""Commands that need a project: a folder with params.yaml."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from multiresunet.errors import UserError
from multiresunet.paths import PARAMS

Arguments = ParamSpec("Arguments")


def in_project(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """The command, which in any other folder raises a UserError that says where to run it."""

    @wraps(command)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        if not PARAMS.is_file():
            raise UserError(f"{PARAMS} is missing; run this in the project's folder (git clone it first)")
        command(*args, **kwargs)

    return checked

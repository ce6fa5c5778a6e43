"""What the sections of params.yaml share: strict models, and types with their messages.

Values that change a result have no defaults in any section, so that params.yaml, which DVC tracks, holds them all.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from multiresunet.errors import did_you_mean
from multiresunet.paper import STEP
from multiresunet.registry import Registry

READ_AS_NO_NAME = {"na", "nan", "null", "none", "inf", "infinity", "true", "false"}  # by pandas, in a CSV file


class Strict(BaseModel):
    """No unknown keys, no silent conversion of types, no infinity, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def first_finding(error: ValidationError) -> str:
    """The first of pydantic's errors, for files other than params.yaml: "data.size: field required"."""
    first = error.errors(include_url=False)[0]
    where, what = ".".join(map(str, first["loc"])) or "the file", first["msg"].removeprefix("Value error, ")
    return f"{where}: {what[0].lower()}{what[1:]}"


def registered(names: Registry[Any]) -> AfterValidator:
    """The check that a text is one of a registry's names."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"must be one of {', '.join(names)}{did_you_mean(name, names)}")
        return name

    return AfterValidator(check)


def _halvable(side: int) -> int:
    if side < STEP or side % STEP:
        raise ValueError(f"must be a multiple of {STEP}, so that the network can halve it four times")
    return side


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _plain_name(name: str) -> str:
    if not name.replace("_", "").isalnum():
        raise ValueError("must be made of letters, digits and underscores, since it names files")
    if name.lower() in READ_AS_NO_NAME or _is_number(name):
        raise ValueError("reads as a number or as nothing where it stands in a table; choose a word")
    return name


def _sha256(digest: str) -> str:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise ValueError(
            "must be a SHA-256 of 64 hexadecimal digits, in lower case; "
            "`python -m stages.fetch --digest PATH` prints a folder's own"
        )
    return digest


def _colour(text: str) -> str:
    if re.fullmatch("#[0-9a-f]{6}", text) is None:
        raise ValueError('must be a colour in lower case, like "#ff0000"')
    return text


def _url(url: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def _url_or_file(url: str) -> str:
    return _url(url, ("http", "https", "file"))


Side = Annotated[int, AfterValidator(_halvable)]
Name = Annotated[str, AfterValidator(_plain_name)]
Colour = Annotated[str, AfterValidator(_colour)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Url = Annotated[str, AfterValidator(_url)]
UrlOrFile = Annotated[str, AfterValidator(_url_or_file)]
Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]

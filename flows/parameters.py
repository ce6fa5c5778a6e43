"""params.yaml, parsed once for as long as its text is the same, and each key looked for once.

For each stage DVC parses the whole file, several times, and for each key it goes through all of it: two thirds of a
`dvc status` of this pipeline, and a third of what DVC does around a stage. How it is parsed and searched is DVC's own.
"""

from __future__ import annotations

from typing import Any

from dvc.dependency import param
from dvc.utils.serialize import parse_yaml

from flows.lockfile import copied

ENDINGS = (".yaml", ".yml")
_plain = param.read_param_file
_read: dict[str, tuple[str, Any]] = {}  # of each file its text, and what it says
_found: dict[tuple[str, str], dict[str, Any]] = {}  # of a file and a key: the value by the key's name, or nothing


def quicken() -> None:
    """Let DVC use this module, in this process."""
    param.read_param_file = _read_keys


def _read_keys(fs: Any, path: str, key_paths: list[str] | None = None, flatten: bool = False, **settings: Any) -> Any:
    if settings or not (key_paths and flatten) or not path.endswith(ENDINGS):
        return _plain(fs, path, key_paths, flatten, **settings)
    try:
        with fs.open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError:  # of which DVC says more
        return _plain(fs, path, key_paths, flatten)
    if path not in _read or _read[path][0] != text:
        for known in [known for known in _found if known[0] == path]:
            del _found[known]
        _read[path] = text, parse_yaml(text, path)
    return copied({name: value for key in key_paths for name, value in _value(path, key).items()})


def _value(path: str, key: str) -> dict[str, Any]:
    if (path, key) not in _found:
        try:
            _found[path, key] = {key: param.dpath.get(_read[path][1], key, separator=".")}
        except KeyError:
            _found[path, key] = {}
    return _found[path, key]

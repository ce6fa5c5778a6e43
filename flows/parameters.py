"""params.yaml, read once: for each stage DVC reads the whole file, and for each key it goes through all of it.

That is two thirds of the time of a `dvc status` of this pipeline. What is read and found is DVC's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dvc.dependency import param


@contextmanager
def read_once() -> Iterator[None]:
    """Let DVC, in this process, read each file of parameters once, and look for each key once, until the end.

    Only for looking: stages share what was read, and a change of the file meanwhile isn't seen.
    """
    load, read = param.load_path, param.read_param_file
    files: dict[str, Any] = {}
    found: dict[tuple[str, str], dict[str, Any]] = {}

    def load_once(path: str, fs: Any, **settings: Any) -> Any:
        if path not in files:
            files[path] = load(path, fs, **settings)
        return files[path]

    def read_keys(
        fs: Any, path: str, key_paths: list[str] | None = None, flatten: bool = False, **settings: Any
    ) -> Any:
        if not (key_paths and flatten):
            return read(fs, path, key_paths, flatten, **settings)
        for key in key_paths:
            if (path, key) not in found:
                found[path, key] = read(fs, path, [key], flatten=True, **settings)
        return {name: value for key in key_paths for name, value in found[path, key].items()}

    param.load_path, param.read_param_file = load_once, read_keys
    try:
        yield
    finally:
        param.load_path, param.read_param_file = load, read

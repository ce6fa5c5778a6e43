"""Names of what can be chosen (networks, losses, readers, …), each given once: where the thing is defined.

A registry reads the names from the source files, so that params.yaml is checked, and help printed, without the seconds
that importing PyTorch takes. What is behind a name is imported when it is asked for.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from multiresunet.errors import UserError, did_you_mean

ROOT = Path(__file__).parent
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A name, the module that defines it, and the facts that its decorator states."""

    name: str
    module: str
    facts: Mapping[str, Any]


class Registry(Generic[T]):
    """What the modules below `place` (a path from the package, as "nets") have registered with `decorator`.

    The registries themselves stand in `registries.py`; in such a module: `@NETWORKS.register("unet", key="value")`.
    Names and facts must be literals, since they are read without running the module.

    Args:
        kind: what the names are of, for messages.
        place: a module or a package, as a path from this package's folder.
        first: the module of a package whose names come before the others'.
    """

    def __init__(self, kind: str, place: str, first: str | None = None) -> None:
        self.kind = kind
        self._place = place
        self._first = first
        self._known: dict[str, T] = {}

    def register(self, name: str, **_facts: Any) -> Callable[[T], T]:
        """Decorator that gives a name to a function or class; facts stand in `entries`."""

        def note(thing: T) -> T:
            self._known[name] = thing
            return thing

        return note

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every name, in the order of files and lines."""
        base = ROOT / self._place
        files = [base.with_suffix(".py")]
        if base.is_dir():
            files = sorted(base.glob("*.py"), key=lambda path: (path.stem != self._first, path.stem))
        found: dict[str, Entry] = {}
        for path in files:
            module = ".".join(("multiresunet", *path.relative_to(ROOT).with_suffix("").parts))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for call in getattr(node, "decorator_list", []):
                    if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "register":
                        facts = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
                        name = ast.literal_eval(call.args[0])
                        found[name] = Entry(name, module, facts)
        return found

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a name."""
        return name in self.entries

    def __getitem__(self, name: str) -> T:
        """What is behind a name; imports its module.

        Raises:
            UserError: there is no such name; the nearest one is named.
        """
        if name not in self.entries:
            raise UserError(self.unknown(name))
        importlib.import_module(self.entries[name].module)  # waits where another thread is still importing it
        return self._known[name]

    def unknown(self, name: str) -> str:
        """The message for a name that isn't there."""
        return f"{self.kind} {name!r} is unknown{did_you_mean(name, self)}; there is {', '.join(self)}"

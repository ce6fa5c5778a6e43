"""The house keeps its plan: arrows point down, no circles, and DVC knows what each stage computes with."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = list(PIPELINE["stages"])
LONGEST, MEDIAN, PARAMETERS = 350, 100, 6

# Modules that a stage imports and that change no result.
UNTRACKED = {
    "multiresunet": "version and public names",
    "multiresunet.config": "turns params.yaml, which DVC tracks key by key, into types",
    "multiresunet.errors": "messages",
    "multiresunet.memory": "speed",
    "multiresunet.paper": "numbers that params.yaml is checked with; stages with networks depend on it",
    "multiresunet.paths": "where outputs lie, which dvc.yaml says too",
    "multiresunet.registries": "which names there are; what is behind them is tracked",
    "multiresunet.registry": "which names there are; what is behind them is tracked",
    "stages": "chooses the arithmetic that the recipe names",
    "stages.running": "command line and messages",
}
# Pages are no outputs: validate, preprocess and report render them, and each stage's own tables are tracked.
PAGES = {
    "validate": ("multiresunet.report",),
    "preprocess": ("multiresunet.report",),
    "report": ("multiresunet.data",),
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the three storeys, by name."""
    found = {}
    for storey in ("flows", "stages", "multiresunet"):
        for path in sorted((ROOT / storey).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(name: str, *, lazy: bool = True) -> frozenset[str]:
    """The project's modules that a module imports; without `lazy` only those that it imports when it is imported."""
    path = modules()[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: set[str] = set()
    for node in _running(ast.parse(path.read_text(encoding="utf-8")), lazy):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(module for module in found if module in modules() and module != name)


def _running(tree: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    """What is run: nothing that is for type checkers; without `lazy`, no functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _running(node, lazy)


def closure(name: str) -> set[str]:
    """A module and all that it imports, however far down; with each module its packages.

    What the configuration imports, it needs for its checks.
    """
    seen: set[str] = set()
    todo = [name]
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        if not below(module, "multiresunet.config"):
            todo += imports(module)
        parent = module.rpartition(".")[0]
        if parent:
            todo.append(parent)
    return seen


def below(module: str, package: str) -> bool:
    """Whether a module is the package, or in it."""
    return module == package or module.startswith(f"{package}.")


def module_of(stage: str) -> str:
    """The module that a stage runs."""
    return str(PIPELINE["stages"][stage]["cmd"].split()[2])


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_the_code_that_it_computes_with(stage: str) -> None:
    declared = {Path(dep) for dep in PIPELINE["stages"][stage]["deps"] if not dep.startswith("data/")}
    missing = []
    for module in sorted(closure(module_of(stage))):
        path = modules()[module].relative_to(ROOT)
        covered = any(dep == path or dep in path.parents for dep in declared)
        exempt = module in UNTRACKED or any(
            below(module, package) for package in ("multiresunet.config", *PAGES.get(stage, ()))
        )
        empty = path.name == "__init__.py" and not ast.parse((ROOT / path).read_text(encoding="utf-8")).body[1:]
        if not covered and not exempt and not empty:
            missing.append(module)
    assert not missing, f"dvc.yaml: {stage} computes with {', '.join(missing)}, which none of its deps covers"


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_declares_exists_and_is_used(stage: str) -> None:
    used = {modules()[module].relative_to(ROOT) for module in closure(module_of(stage))}
    for dep in PIPELINE["stages"][stage]["deps"]:
        path = Path(dep)
        if dep.startswith("data/") or "${" in dep:
            continue
        assert (ROOT / path).exists(), f"dvc.yaml: {stage} depends on {dep}, which isn't there"
        if path.parts[0] in ("multiresunet", "stages"):
            assert any(path == module or path in module.parents for module in used), f"{stage} doesn't import {dep}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_depends_on_the_versions_that_numbers_depend_on(stage: str) -> None:
    assert "numerics.lock" in PIPELINE["stages"][stage]["deps"]


def test_reasons_are_given_for_modules_that_exist() -> None:
    assert set(UNTRACKED) <= set(modules())


def test_arrows_point_down() -> None:
    for name in modules():
        for module in imports(name):
            storey, other = name.partition(".")[0], module.partition(".")[0]
            assert not (storey == "multiresunet" and other != "multiresunet"), f"{name} imports {module}"
            assert not (storey == "stages" and other == "flows"), f"{name} imports {module}"


def test_the_library_knows_neither_dvc_nor_prefect() -> None:
    for name, path in modules().items():
        if not name.startswith("multiresunet"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.partition(".")[0] for n in named} & {"dvc", "prefect"}, name


def test_no_module_imports_itself_by_way_of_others() -> None:
    def needs(name: str) -> set[str]:
        # A package imports its modules, and they import each other through it: the package's own file isn't a step.
        return {module for module in imports(name, lazy=False) if not below(name, module)}

    TopologicalSorter({name: needs(name) for name in modules()}).prepare()  # raises CycleError


def test_modules_are_short() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST}
    assert median(length for length in lengths.values() if length > 1) <= MEDIAN


def public_functions() -> list[tuple[str, object]]:
    """Functions and methods without a leading underscore, dataclasses' and pydantic's own constructors left out."""
    found: list[tuple[str, object]] = []
    for module_info in pkgutil.walk_packages([str(ROOT / "multiresunet")], "multiresunet."):
        if module_info.name.endswith("__main__"):
            continue
        module = importlib.import_module(module_info.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module_info.name:
                continue
            if inspect.isfunction(thing):
                found.append((f"{module_info.name}.{name}", thing))
            elif inspect.isclass(thing):
                found += [
                    (f"{module_info.name}.{name}.{key}", value)
                    for key, value in vars(thing).items()
                    if inspect.isfunction(value)
                    and not (key.startswith("_") and key != "__init__")
                    and not value.__code__.co_filename.startswith("<")  # a dataclass' own
                ]
    return found


def test_no_function_takes_more_than_six_parameters() -> None:
    many = {}
    for name, function in public_functions():
        parameters = [
            parameter
            for parameter in inspect.signature(function).parameters.values()  # type: ignore[arg-type]  # functions all
            if parameter.name not in ("self", "cls")
        ]
        if len(parameters) > PARAMETERS and ".cli." not in name:  # a command's parameters are its options
            many[name] = len(parameters)
    assert not many

"""README, CONTRIBUTING and docs: links lead somewhere; commands, options, keys and files that they name exist."""

from __future__ import annotations

import csv
import importlib.util
import pkgutil
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

import make
from multiresunet import config
from multiresunet.cli import app
from multiresunet.config import Dataset
from tests.warm import Warm

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
# Without results' tables, and the changelog, which names what is no more.
PAGES = [name for name in TRACKED if name.endswith(".md") and "/tables/" not in name and name != "CHANGELOG.md"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PLACEHOLDER = re.compile(r"[A-Z]{3,}|…|<|mine")  # NAME, DATASET, …: for the reader to fill in


def tokens(page: str) -> Iterator[Token]:
    """Every token of a page, those within lines too."""
    for token in MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8")):
        yield token
        yield from token.children or []


def code(page: str, *kinds: str) -> list[str]:
    """The page's code: blocks of a language ("sh", "" if none is given), or "inline"."""
    found = []
    for token in tokens(page):
        kind = "inline" if token.type == "code_inline" else token.info
        if token.type in ("fence", "code_block", "code_inline") and kind in kinds:
            found.append(token.content)
    return found


def links(page: str) -> list[str]:
    """Where a page links to, pictures included, but for the web."""
    found = [str(token.attrs.get("href") or token.attrs.get("src") or "") for token in tokens(page)]
    found += re.findall(r'(?:href|src)="([^"]+)"', (ROOT / page).read_text(encoding="utf-8"))
    return [link for link in found if link and "://" not in link]


def anchors(page: str) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    found, heading = set(), False
    for token in tokens(page):
        if heading and token.type == "inline":
            plain = re.sub(r"[^\w\- ]", "", token.content.lower())
            found.add(plain.replace(" ", "-"))
        heading = token.type == "heading_open"
    return found


def page_of(path: Path) -> str:
    """The page that a link to a file or folder shows."""
    return str((path / "README.md" if path.is_dir() else path).relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        place, _, anchor = link.partition("#")
        path = (ROOT / page).parent.joinpath(place).resolve() if place else ROOT / page
        assert path.exists(), f"{page}: {link} isn't there"
        assert not anchor or anchor in anchors(page_of(path)), f"{page}: {link}: no such heading"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        paths = [(ROOT / page).parent.joinpath(link.partition("#")[0]).resolve() for link in links(page)]
        todo += [name for path in paths if path.exists() and (name := page_of(path)) in {*PAGES} - reached]
    assert {page for page in PAGES if not page.startswith("tests/")} <= reached


def commands(page: str) -> list[list[str]]:
    """The words of every command on a page, without variables in front."""
    found = []
    for text in code(page, "sh", "", "inline"):
        for line in re.split(r"\n|&&|;| {4,}", text.replace("\\\n", " ")):
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # no command line
                continue
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words:
                found.append(words)
    return found


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--\w", word)]


@cache
def usage(warm: Warm, module: str) -> str:
    """What `python -m module --help` prints."""
    done = warm.run(module, "--help", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_module(warm: Warm, module: str, words: list[str]) -> None:
    """A module is there, and has the options."""
    assert importlib.util.find_spec(module) is not None, f"no module {module}"
    if module.split(".")[0] in ("flows", "stages", "benchmarks", "multiresunet"):
        for option in options(words):
            assert re.search(rf"{option}\b", usage(warm, module)), f"{module} has no {option}"


def check_own(words: list[str]) -> None:
    """Subcommands and options are those of the command line."""
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        word, *words = words
        assert word in command.commands or word == "--help" or PLACEHOLDER.search(word), f"no command {word!r}"
        command = command.commands.get(word)
    known = {option for parameter in getattr(command, "params", []) for option in parameter.opts}
    assert set(options(words)) <= {*known, "--help"}, f"of {options(words)} there are {known}"


def check_dvc(words: list[str]) -> None:
    """`dvc repro` names stages."""
    if words[:1] == ["repro"]:
        for word in words[1:]:
            assert word.startswith("-") or word.partition("@")[0] in STAGES, f"dvc.yaml has no stage {word}"


def check_prefect(words: list[str]) -> None:
    """Deployments are those of prefect.yaml."""
    known = {each["name"] for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    named = [words[i + 1] for i, word in enumerate(words) if word == "--name" and words[0] == "deploy"]
    named += [word.partition("/")[2] for word in words[2:3] if words[:2] == ["deployment", "run"]]
    assert set(named) <= known, f"prefect.yaml has {known}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str, warm: Warm) -> None:
    for first, *words in commands(page):
        match Path(first).name, *words:
            case ("python" | "python3" | "python3.11", "make.py", what, *_):
                assert what in {*make.COMMANDS, "lock"}, f"make.py has no {what}"
            case ("python", "-m", "multiresunet", *rest):
                check_own(rest)
            case ("python", "-m", module, *rest):
                check_module(warm, module, rest)
            case ("multiresunet", *rest) if rest:
                check_own(rest)
            case ("dvc", *rest):
                check_dvc(rest)
            case ("prefect", *rest):
                check_prefect(rest)
            case ("bash", script, *_):
                assert (ROOT / script).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_files_and_extras_exist(page: str) -> None:
    folders = {name.partition("/")[0] for name in TRACKED if "/" in name} - {".dvc"}
    for text in code(page, "inline"):
        if re.fullmatch(r"[\w.-]+/[\w./-]*", text) and text.partition("/")[0] in folders:
            path = ROOT / text
            assert (path.parent if PLACEHOLDER.search(path.name) else path).exists(), f"{page}: {text} isn't there"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in code(page, "sh", "", "inline"):
        assert set(re.findall(r"\.\[(\w+)\]", text)) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES)
def test_yaml_is_valid_in_params(page: str) -> None:
    for text in code(page, "yaml"):
        block = yaml.safe_load(text)
        tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        tree["run"]["recipe"] = "paper"  # for whose networks tuning's ranges are
        if set(block) <= set(tree):
            for key in block:
                tree[key] |= block[key]
        elif set(block) <= set(tree["tune"]):
            tree["tune"] |= block
        else:
            assert set(block) <= set(Dataset.model_fields), f"{page}: params.yaml has no place for {set(block)}"
            tree["datasets"]["nuclei"] |= block
        if "…" not in text:
            config.parse(tree)


@pytest.mark.parametrize("page", PAGES)
def test_keys_are_those_of_params(page: str) -> None:
    for text in code(page, "inline"):
        first, *rest = text.split(".")
        if not re.fullmatch(r"\w+(\.\w+)+", text) or first not in PARAMS or rest[-1] in ("py", "yaml"):
            continue
        place = PARAMS[first]
        for key in rest:
            assert isinstance(place, dict), f"{page}: {text}: too deep"
            assert key in place, f"{page}: {text}: params.yaml has no {key}"
            place = place[key]


@pytest.mark.parametrize("page", PAGES)
def test_python_that_is_named_exists(page: str) -> None:
    for block in code(page, "python"):
        compile(block, page, "exec")
    for text in code(page, "python", "inline"):
        for name in re.findall(r"\bmultiresunet(?:\.[a-zA-Z_]\w*)+", text):
            pkgutil.resolve_name(name)


def test_the_readme_explains_every_column_of_the_summary() -> None:
    with (ROOT / "metrics/summary.csv").open(encoding="utf-8") as file:
        columns = next(csv.reader(file))
    named = set(code("README.md", "inline"))
    explained = {*named, "dataset", "model", "folds", "images"}
    assert {re.sub("_(sd|low|high)$", "", column) for column in columns} <= explained
    ends = {match[0] for column in columns if (match := re.search("_(sd|low|high)$", column))}
    assert ends <= named


def test_the_readme_has_every_stage_command_and_folder() -> None:
    pipeline = next(text for text in code("README.md", "") if "→" in text)
    assert re.findall(r"(\w+)(?:@[\w-]+)?", re.sub(r"@[\w-]+", "", pipeline)) == list(STAGES)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        for words in [f"{name} {each}" for each in getattr(command, "commands", [])] or [name]:
            assert f"`.venv/bin/multiresunet {words}" in text, words
    for name in {name.partition("/")[0] for name in TRACKED if "/" in name and not name.startswith(".")}:
        assert f"`{name}/`" in text, name


def test_the_readme_names_data_sets_of_params() -> None:
    rows = re.findall(r"^\| (`\w+`(?: `\w+`)*) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    known = [name for name in named if name in PARAMS["datasets"]]
    assert set(PARAMS["run"]["datasets"]) < set(known)
    assert set(known) - set(PARAMS["run"]["datasets"]) == {path.stem for path in (ROOT / "catalog").glob("*.csv")}


@pytest.mark.parametrize(
    "words", [["data", "addd"], ["diff", "main", "--meent"], ["verify", "--from-scratch", "--fast"]]
)
def test_a_wrong_command_is_found(words: list[str]) -> None:
    with pytest.raises(AssertionError):
        check_own(words)


def test_a_wrong_option_of_a_module_is_found(warm: Warm) -> None:
    check_module(warm, "benchmarks.train_speed", ["--json", "x"])
    with pytest.raises(AssertionError):
        check_module(warm, "benchmarks.train_speed", ["--jason", "x"])

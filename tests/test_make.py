"""The commands of README's first screen, up to where they install."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import make

RESOLVED = """\
nvidia-cublas==13 ; sys_platform == 'linux'
cuda-toolkit==13 ; sys_platform == 'linux'
numpy==2.4.6 ; sys_platform == 'linux'
prefect==3.8.8 ; sys_platform == 'linux'
torch==2.14.0 ; sys_platform == 'linux'
"""


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project in which nothing is installed, and what would be run there."""
    for name, path in {"LOCK": "requirements.lock", "PROJECT": "pyproject.toml", "VERSION": "version.py"}.items():
        monkeypatch.setattr(make, name, tmp_path / path)
        (tmp_path / path).write_text("something\n")
    paths = {"NUMERICS_LOCK": "numerics.lock", "VENV": ".venv", "BIN": ".venv/bin", "INSTALLED": ".venv/installed"}
    for name, path in {**paths, "ROOT": "."}.items():
        monkeypatch.setattr(make, name, tmp_path / path)
    words: list[str] = []

    def create(_: list[str]) -> None:
        make.BIN.mkdir(parents=True, exist_ok=True)
        (make.BIN / "python").unlink(missing_ok=True)
        (make.BIN / "python").touch()
        (make.VENV / "pyvenv.cfg").write_text(
            f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv --clear {make.VENV}\n"
        )
        words.append("venv")

    def python(*said: str) -> str:
        words.append("install the project" if "--editable" in said else said[0])
        return RESOLVED if said[0] == "uv" else ""

    monkeypatch.setattr(subprocess, "call", create)
    monkeypatch.setattr(make, "python", python)
    monkeypatch.setattr(make, "install_by_uv", lambda: words.append("uv"))
    monkeypatch.setattr(make, "compile_bytecode", lambda: words.append("compile"))
    return words


def do(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["make.py", *words])
    make.main()


def test_it_installs_once_and_again_when_the_lock_has_changed(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    do(monkeypatch, "run")
    do(monkeypatch, "test", "-m", "slow")
    assert called == ["venv", "uv", "compile", "install the project", "flows.pipeline", "multiresunet.report", "pytest"]
    called.clear()
    make.LOCK.write_text("another\n")
    do(monkeypatch, "setup")
    assert called == ["venv", "uv", "compile", "install the project"]


def test_pip_installs_where_uv_fails(
    called: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "install_by_uv", lambda: "no such index")
    do(monkeypatch, "setup")
    assert called == ["venv", "pip", "install the project"]
    assert "uv can't install them (no such index); pip can, in more time …" in capsys.readouterr().out


def test_what_a_run_imports_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, cached = tmp_path / "package.py", tmp_path / "__pycache__"
    package.write_text("")
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "BIN", Path(sys.executable).parent)
    monkeypatch.setattr(make, "IMPORTED", ("package", "json, missing"))  # the first run says better what is wrong
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    make.compile_bytecode()
    assert [path.name.partition(".")[0] for path in cached.iterdir()] == ["package"]


@pytest.mark.parametrize("modules", make.IMPORTED)
def test_what_is_compiled_is_there(modules: str, repository: Path) -> None:
    for name in modules.split(", "):
        assert (repository / f"{name.replace('.', '/')}.py").exists() or find_spec(name)


UV = """#!{python}
import os, sys
with open({told!r}, "w") as told:
    print(*sys.argv[1:], os.environ["UV_FIND_LINKS"], sep="\\n", file=told)
print("error: no wheel", file=sys.stderr)
sys.exit(2 if os.environ.get("FAILS") else 0)
"""


def test_the_uv_that_is_there_installs_what_the_lock_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    (tmp_path / "uv").write_text(UV.format(python=sys.executable, told=str(told)))
    (tmp_path / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    monkeypatch.setattr(make, "BIN", Path(sys.executable).parent)
    assert make.install_by_uv() == ""
    words = told.read_text().splitlines()
    assert words[:2] == ["pip", "install"]
    assert words[words.index("--python") + 1] == sys.executable
    assert words[words.index("-r") + 1] == str(make.LOCK)
    assert words[-1] == "/a,/b"
    monkeypatch.setenv("FAILS", "1")
    assert make.install_by_uv() == "error: no wheel"
    (tmp_path / "uv").write_text("#!/nowhere")
    assert "uv" in make.install_by_uv()


def test_uv_looks_where_pip_would(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ}:
        if name.startswith("UV_"):
            monkeypatch.delenv(name)
    said = """\
:env:.cert='/a/ca.pem'
:env:.find-links='/wheels /more'
:env:.no_index='1'
global.extra-index-url='\\nhttps://a.example.org/simple\\nhttps://b.example.org/simple'
global.find-links='/elsewhere'
global.index-url='https://global.example.org/simple'
global.quiet='1'
install.index-url='https://install.example.org/simple'
"""
    monkeypatch.setenv("UV_NO_INDEX", "0")
    env = make.uv_settings(said)
    assert {name: value for name, value in env.items() if os.environ.get(name) != value} == {
        "SSL_CERT_FILE": "/a/ca.pem",
        "UV_DEFAULT_INDEX": "https://install.example.org/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX": "https://a.example.org/simple https://b.example.org/simple",
    }
    assert env["UV_NO_INDEX"] == "0", "uv's own variable counts"


def test_the_lock_is_resolved_where_pip_would_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = """if [ "$2" = pip ]; then echo ":env:.find-links='/a /b'"; else echo "$UV_FIND_LINKS"; fi"""
    (tmp_path / "python").write_text(f"#!/bin/sh\n{said}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(make, "BIN", tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    assert make.python(*make.COMPILE.split()) == "/a,/b\n"


@pytest.mark.parametrize("change", ["PROJECT", "VERSION"])
def test_a_changed_project_is_installed_again_without_its_packages(
    change: str, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    do(monkeypatch, "setup")
    called.clear()
    getattr(make, change).write_text("another entry point or version\n")
    do(monkeypatch, "setup")
    do(monkeypatch, "setup")
    assert called == ["install the project"]


@pytest.mark.parametrize("change", ["the folder was renamed", "the base Python was removed"])
def test_an_environment_that_no_longer_works_is_made_anew(
    change: str, called: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(monkeypatch, "setup")
    called.clear()
    if "folder" in change:
        (tmp_path / "moved").mkdir()
        make.VENV.rename(tmp_path / "moved/.venv")
        for name, path in {"ROOT": ".", "VENV": ".venv", "BIN": ".venv/bin", "INSTALLED": ".venv/installed"}.items():
            monkeypatch.setattr(make, name, tmp_path / "moved" / path)
    else:
        (make.BIN / "python").unlink()
        (make.BIN / "python").symlink_to(tmp_path / "nowhere")
    do(monkeypatch, "setup")
    do(monkeypatch, "setup")
    assert called == ["venv", "uv", "compile", "install the project"]


def test_of_two_terminals_one_installs(
    called: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with make.alone():
        other = threading.Thread(target=make.set_up)
        other.start()
        deadline, said = time.monotonic() + 60, ""
        while "waiting" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().out
        subprocess.call([])
        make.INSTALLED.write_text(make.wanted())
    other.join(60)
    assert said == "Another make.py installs into .venv; waiting for its end …\n"
    assert called == ["venv"], "by the first"


def test_the_locks_leave_out_what_only_some_machines_need(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    do(monkeypatch, "lock")
    assert make.LOCK.read_text() == "".join(RESOLVED.splitlines(keepends=True)[2:])
    assert make.NUMERICS_LOCK.read_text() == "numpy==2.4.6\ntorch==2.14.0\n"


def test_the_committed_locks_agree() -> None:
    text = make.LOCK.read_text()
    assert make.NUMERICS_LOCK.read_text() == make.numerics(text)
    versions = dict(pin.split("==") for pin in make.NUMERICS_LOCK.read_text().split())
    assert list(versions) == sorted(make.NUMERICS)
    assert len(make.NUMERICS_LOCK.read_text().splitlines()) == len(versions), "one version on every Python"


# What the library and the stages import, and no number depends on.
NOT_NUMERIC = {
    *("great-expectations", "matplotlib", "jinja2", "markupsafe"),  # checks and pages
    *("fastapi", "starlette", "uvicorn"),  # serve
    *("onnx", "onnxruntime"),  # export: what they write is compared with PyTorch
    *("httpx", "psutil", "pydantic", "pyyaml", "rich", "ruamel-yaml", "safetensors", "sqlalchemy", "typer"),
}


def test_every_library_that_computes_is_among_the_numerics(repository: Path) -> None:
    packages = packages_distributions()
    known = {*make.NUMERICS, *NOT_NUMERIC}
    unknown = set()
    for path in [*repository.glob("multiresunet/**/*.py"), *repository.glob("stages/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for module in {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "multiresunet", "stages"}:
                if not known & {re.sub(r"[-_.]+", "-", name).lower() for name in packages[module]}:
                    unknown.add(module)
    assert not unknown, "name it in make.NUMERICS, or here"


def test_one_range_of_pythons_is_promised_everywhere(repository: Path) -> None:
    low, high = make.VERSIONS
    minors = [f"{low[0]}.{minor}" for minor in range(low[1], high[1] + 1)]
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={minors[0]},<{high[0]}.{high[1] + 1}"
    assert project["tool"]["mypy"]["python_version"] == minors[0]
    assert project["tool"]["ruff"]["target-version"] == f"py{minors[0].replace('.', '')}"
    assert f"--python-version {minors[0]} " in make.COMPILE
    workflow = yaml.safe_load((repository / ".github/workflows/tests.yml").read_text())
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == minors


@pytest.mark.parametrize("words", [[], ["rum"], ["run", "more"]])
def test_other_words_get_the_usage(words: list[str], called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"run \| test \| check"):
        do(monkeypatch, *words)
    assert called == []


def test_another_python_is_refused_before_anything_is_made(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"Python 3\.11 to 3\.13 is needed"):
        do(monkeypatch, "run")
    assert called == []


@pytest.mark.slow
def test_what_another_python_left_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b/.venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (folder / "installed").write_text("another lock")
    other = tmp_path / "python"
    other.write_text("somebody's")
    (folder / "bin/python3.11").unlink(missing_ok=True)
    (folder / "bin/python3.11").symlink_to(other)
    for name, value in {"VENV": folder, "BIN": folder / "bin", "INSTALLED": folder / "installed"}.items():
        monkeypatch.setattr(make, name, value)
    monkeypatch.setattr(make, "python", lambda *_: "")
    monkeypatch.setattr(make, "install_by_uv", lambda: "")
    make.set_up()
    assert other.read_text() == "somebody's"
    asked = [str(folder / "bin/python"), "-m", "pip", "--version"]
    assert str(folder) in subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def test_what_is_run_from_the_environment_calls_its_python(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "stages_python.pth").write_text(make.STAGES_PYTHON)
    code = "import os, subprocess, sys; print(os.environ['PATH'])"
    again = f"{code}; sys.stdout.flush(); subprocess.run(['python', '-c', {code!r}])"
    done = subprocess.run(
        [str(folder / "bin/python"), "-c", again], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    wanted = f"{folder / 'bin'}:/usr/bin:/bin"
    assert done.stdout.splitlines() == [wanted, wanted], done.stderr


TIDY = """
import signal, time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    print("tidied", flush=True)
    raise SystemExit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_broken_off_may_tidy_up(number: int, tmp_path: Path, repository: Path) -> None:
    (tmp_path / "tidy.py").write_text(
        TIDY.replace("try:", "signal.signal(signal.SIGTERM, signal.default_int_handler)\ntry:")
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    folder = f"pathlib.Path({str(tmp_path)!r})"
    code = f"import make, pathlib; make.ROOT, make.BIN = {folder}, {folder} / 'bin'; make.python('tidy')"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    assert process.communicate(timeout=300)[0] == "tidied\n"
    assert process.returncode == 7

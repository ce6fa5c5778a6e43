"""python3 make.py run | test | check | lock | setup: set up .venv, once, and do it there.

run: the tables and the report. test: the tests (further words go to pytest). check: ruff and mypy. lock: write
requirements.lock and numerics.lock anew. setup: nothing more.
Of any Python 3 this file says whether it is one that the packages need: 3.11 to 3.13.
"""

import ast
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
EXECUTABLE = "python.exe" if os.name == "nt" else "python"
PROJECT = ROOT / "pyproject.toml"
VERSION = ROOT / "multiresunet/__init__.py"
LOCK = ROOT / "requirements.lock"
NUMERICS_LOCK = ROOT / "numerics.lock"
INSTALLED = VENV / "installed"  # holds what `wanted` said when it was installed
VERSIONS = (3, 11), (3, 13)
COMMANDS = {
    "run": ["flows.pipeline", "multiresunet.report"],
    "test": ["pytest --numprocesses logical --dist worksteal"],  # a process for each core; `-n 0` after it: none
    "check": ["ruff check .", "ruff format --check .", "mypy"],
    "setup": [],
}
INSTALL = ("install", "--quiet", "--disable-pip-version-check")
# pip's settings, of files and of the environment, and what uv calls them; what several values are joined by.
UV_SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("HTTPS_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
# Stages call `python`. Python runs this line when it starts, so that whatever is run from .venv/bin, DVC for one, has
# .venv's Python first on its path, even where nobody has activated .venv.
STAGES_PYTHON = (
    "import os, sys; here, path = os.path.dirname(sys.executable), os.environ.get('PATH', os.defpath); "
    "os.environ['PATH'] = path if path.split(os.pathsep)[0] == here else here + os.pathsep + path\n"
)
# By processes of a run, side by side.
IMPORTED = (
    "stages.preload, matplotlib.figure",
    "prefect.server.api.server, prefect.flow_engine, prefect.artifacts, dvc.repo.reproduce",
)
COMPILE = (
    "uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml"
)
# What a number in the tables depends on: these read, transform, draw, fit, search or average. Stages depend on their
# lines of the lock, in numerics.lock, and not on those of a new web framework.
NUMERICS = (
    *("imagecodecs", "imagehash", "lightning-fabric", "monai", "nibabel", "numpy", "optuna", "pandas", "pillow"),
    *("roifile", "scikit-image", "scikit-learn", "scipy", "simpleitk", "tifffile", "torch", "zarr"),
)


def python(*words: str) -> str:
    """Run a module of .venv; end with its status if it fails."""
    is_uv = words[0] == "uv"
    settings = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}  # quiet and offline
    env = {**(uv_settings(pip_settings()) if is_uv else os.environ), **settings}
    out = subprocess.PIPE if is_uv else None
    process = subprocess.Popen([str(BIN / "python"), "-m", *words], cwd=ROOT, env=env, stdout=out, text=True)
    # The terminal's Ctrl-C reaches the other process too; it tidies up, and this one waits for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(process.returncode if process.returncode > 0 else 128 - process.returncode)
    return said or ""


def wanted() -> str:
    """What is to be installed, in two lines: the packages' hash, and that of the project and its folder."""
    packages = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    project = hashlib.sha256(PROJECT.read_bytes() + VERSION.read_bytes() + os.fsencode(str(ROOT))).hexdigest()
    return f"{packages}\n{project}\n"


def set_up() -> None:
    """Install what the lock names, then the project itself, unless they are there."""
    if is_set_up():
        return
    with alone():
        if is_set_up():  # by another terminal, meanwhile
            return
        there = INSTALLED.read_text() if INSTALLED.is_file() else ""
        if not is_usable() or there.split("\n")[0] != wanted().split("\n")[0]:
            install_packages()
        # The lock has the build's own needs, too: this asks no package index, and takes two seconds.
        python("pip", *INSTALL, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        for packages in VENV.glob("lib/python*/site-packages"):
            (packages / "stages_python.pth").write_text(STAGES_PYTHON)
        INSTALLED.write_text(wanted())


def is_set_up() -> bool:
    """Whether all that is wanted has been installed, and works."""
    return INSTALLED.is_file() and INSTALLED.read_text() == wanted() and is_usable()


def is_usable() -> bool:
    """Whether the Python behind .venv is still there, and .venv where it was made, which its programs name."""
    made = VENV / "pyvenv.cfg"
    commands = (
        [line for line in made.read_text().splitlines() if line.startswith("command = ")] if made.is_file() else []
    )
    return (BIN / EXECUTABLE).exists() and all(line.endswith(f" {VENV}") for line in commands)


@contextmanager
def alone() -> "Iterator[None]":
    """Wait until no other terminal installs into this folder, and keep others out."""
    if os.name == "nt":  # which has no such lock
        yield
        return
    import fcntl

    (ROOT / ".state").mkdir(exist_ok=True)
    with (ROOT / ".state/setup.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another make.py installs into .venv; waiting for its end …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_packages() -> None:
    """Make .venv anew, with what the lock names."""
    if not VERSIONS[0] <= sys.version_info[:2] <= VERSIONS[1]:
        sys.exit("error: Python 3.11 to 3.13 is needed, this is another; python3.11 make.py, say")
    print("Installing into .venv (once, some minutes) …", flush=True)
    # Whatever is there, of another Python or half installed, makes room. Debian's Python says what it lacks.
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        sys.exit(1)
    failure = install_by_uv()
    if failure:
        print(f"uv can't install them ({failure}); pip can, in more time …", flush=True)
        python("pip", *INSTALL, "-r", str(LOCK))
    else:
        compile_bytecode()


def compile_bytecode() -> None:
    """Import what every run imports: uv leaves compiling to the first import, and several processes would all do it."""
    quiet = subprocess.DEVNULL  # what is wrong, the first run says better
    words = [[str(BIN / "python"), "-c", f"import {modules}"] for modules in IMPORTED]
    for process in [subprocess.Popen(each, cwd=ROOT, stdout=quiet, stderr=quiet) for each in words]:
        process.wait()


def install_by_uv() -> str:
    """Install what the lock names by uv, in a third of pip's time, where pip would look for it.

    Returns:
        Why that failed, if it did.
    """
    pip = [str(BIN / "python"), "-m", "pip"]
    uv = shutil.which("uv")
    wanted_uv = next(line.split(" ")[0] for line in LOCK.read_text().splitlines() if line.startswith("uv=="))
    install = [uv or str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(BIN / "python"), "-r", str(LOCK)]
    commands = [
        *([] if uv else [[*pip, *INSTALL, wanted_uv]]),
        [*install, "--index-strategy", "unsafe-best-match"],  # pip's: the version counts, whichever index has it
    ]
    if sys.dont_write_bytecode:  # pip compiles, uv leaves it to the first import, which may not write it here
        commands[-1].append("--compile-bytecode")
    try:
        env = uv_settings(pip_settings())
        for command in commands:
            done = subprocess.run(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                lines = done.stderr.split("\n")
                return next((line.strip() for line in reversed(lines) if line.strip()), f"status {done.returncode}")
    except OSError as error:
        return str(error)
    return ""


def pip_settings() -> str:
    """What `pip config list` says."""
    words = [str(BIN / "python"), "-m", "pip", "config", "list"]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True).stdout


def uv_settings(said: str) -> "dict[str, str]":
    """The environment for uv, given what `pip config list` says: what uv's own variables don't say, pip's do."""
    values: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # the later ones count
        for line in said.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(section):
                values[name[len(section) :].replace("_", "-")] = str(ast.literal_eval(value))
    env = dict(os.environ)
    for name, (variable, separator) in UV_SETTINGS.items():
        if name in values and not (variable.startswith("UV_") and variable in os.environ):
            env[variable] = separator.join(values[name].split())
    return env


def lock() -> None:
    """Resolve pyproject.toml anew; PyTorch's own build installs the CUDA packages that it needs."""
    lines = python(*COMPILE.split()).splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith(("nvidia-", "cuda-", "triton"))]
    LOCK.write_text("".join(lines))
    NUMERICS_LOCK.write_text(numerics("".join(lines)))


def numerics(text: str) -> str:
    """NAME==VERSION of a lock's packages that numbers depend on, sorted, a line each; without markers of platforms."""
    pins = {line.split(" ")[0] for line in text.splitlines()}
    return "".join(sorted(f"{pin}\n" for pin in pins if pin.split("==")[0] in NUMERICS))


def main() -> None:
    """Do what the command line says."""
    what, more = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if what not in (*COMMANDS, "lock") or (more and what != "test"):
        sys.exit(__doc__)
    set_up()
    if what == "lock":
        lock()
    for words in COMMANDS.get(what, []):
        python(*words.split(), *more)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that isn't UTF-8 has no "…"
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"error: {error}; see its owner, its mode and the room on the disk")

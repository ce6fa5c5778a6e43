"""python3 make.py run | test | check | lock | setup: set up .venv, once, and do it there.

run: the tables and the report. test: the tests (further words go to pytest). check: ruff and mypy. lock: write
requirements.lock and numerics.lock anew. setup: nothing more.
This file needs nothing but Python, of any version: it says so if that is too old.
"""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PROJECT = ROOT / "pyproject.toml"
VERSION = ROOT / "multiresunet/__init__.py"
LOCK = ROOT / "requirements.lock"
NUMERICS_LOCK = ROOT / "numerics.lock"
INSTALLED = VENV / "installed"  # holds what `wanted` said when it was installed
VERSIONS = (3, 11), (3, 13)
COMMANDS = {
    "run": ["flows.pipeline", "multiresunet.report.page"],
    "test": ["pytest"],
    "check": ["ruff check .", "ruff format --check .", "mypy"],
    "setup": [],
}
INSTALL = ("install", "--quiet", "--disable-pip-version-check")
# Stages call `python`. Python runs this line when it starts, so that whatever is run from .venv/bin, DVC for one, has
# .venv's Python first on its path, even where nobody has activated .venv.
STAGES_PYTHON = (
    "import os, sys; here, path = os.path.dirname(sys.executable), os.environ.get('PATH', os.defpath); "
    "os.environ['PATH'] = path if path.split(os.pathsep)[0] == here else here + os.pathsep + path\n"
)
COMPILE = (
    "uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate pyproject.toml"
)
# What a number in the tables depends on: these read, transform, draw, fit, search or average. Stages depend on their
# lines of the lock, in numerics.lock, and not on those of a new web framework.
NUMERICS = (
    *("imagecodecs", "imagehash", "lightning-fabric", "monai", "nibabel", "numpy", "optuna", "pandas", "pillow"),
    *("scikit-image", "scikit-learn", "scipy", "simpleitk", "tifffile", "torch"),
)


def python(*words: str) -> str:
    """Run a module of .venv; end with its status if it fails."""
    settings = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}  # quiet and offline
    out = subprocess.PIPE if words[0] == "uv" else None
    process = subprocess.Popen(
        [str(BIN / "python"), "-m", *words], cwd=ROOT, env={**os.environ, **settings}, stdout=out, text=True
    )
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
    there = INSTALLED.read_text() if INSTALLED.is_file() else ""
    if there == wanted():
        return
    if there.split("\n")[0] != wanted().split("\n")[0]:
        install_packages()
    # The lock has the build's own needs, too: this asks no package index, and takes two seconds.
    python("pip", *INSTALL, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    for packages in VENV.glob("lib/python*/site-packages"):
        (packages / "stages_python.pth").write_text(STAGES_PYTHON)
    INSTALLED.write_text(wanted())


def install_packages() -> None:
    """Make .venv anew, with what the lock names."""
    if not VERSIONS[0] <= sys.version_info[:2] <= VERSIONS[1]:
        sys.exit("error: Python 3.11 to 3.13 is needed, this is another; python3.11 make.py, say")
    print("Installing into .venv (once, some minutes) …", flush=True)
    # Whatever is there, of another Python or half installed, makes room. Debian's Python says what it lacks.
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        sys.exit(1)
    python("pip", *INSTALL, "-r", str(LOCK))


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
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)

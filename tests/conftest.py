"""Small data that tests share."""

from __future__ import annotations

import locale
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from multiresunet.data.dataset import PreparedDataset
from tests.discs import discs
from tests.report.chromium import Browser
from tests.warm import Warm

torch.set_num_threads(1)
# A busy machine fails no test. Each run of a commit tries the same examples; `--hypothesis-profile explore`: others.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")
TESTS = Path(__file__).parent
# Where tests start stages, servers, browsers or other processes; all others are the unit tests.
INTEGRATION = ("benchmarks", "cli", "flows", "report", "review", "serving", "stages", "test_contributing.py")
INTEGRATION += ("test_docs.py", "test_make.py", "test_package.py", "test_workflows.py", "test_arithmetic.py")
INTEGRATION += ("test_reference_run.py",)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the marker of its tier."""
    for item in items:
        if item.get_closest_marker("slow") is None and item.get_closest_marker("integration") is None:
            place = item.path.relative_to(TESTS).parts[0]
            item.add_marker("integration" if place in INTEGRATION else "unit")


@pytest.fixture(autouse=True)
def same_locale() -> Iterator[None]:
    """Put the locale back: writing DICOM, as some tests do, leaves GDCM's, in which others couldn't read UTF-8."""
    before = locale.setlocale(locale.LC_CTYPE)
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.fixture
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Runs `python -m …` with the libraries of stages loaded already."""
    server = Warm()
    yield server
    server.end()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; each test takes a tab of its own."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def disc_images() -> PreparedDataset:
    """12 grey images of 32×32 in 3 folds."""
    return discs(12, (32, 32), 1, 3)


@pytest.fixture
def disc_volumes() -> PreparedDataset:
    """10 two-channel volumes of 16×16×16 in 2 folds."""
    return discs(10, (16, 16, 16), 2, 2)

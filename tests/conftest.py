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
# Where tests train, tune, predict files, export or download, or start processes; all others are the unit tests.
INTEGRATION = ("benchmarks/", "cli/", "flows/", "report/", "review/", "serving/", "stages/", "test_contributing.py")
INTEGRATION += ("test_docs.py", "test_make.py", "test_package.py", "test_workflows.py", "test_arithmetic.py")
INTEGRATION += ("test_reference_run.py", "training/", "tuning/", "inference/", "data/sources/")
INTEGRATION += ("nets/test_every_network.py", "data/test_validation.py")


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the marker of its tier."""
    for item in items:
        if item.get_closest_marker("slow") is None and item.get_closest_marker("integration") is None:
            item.add_marker("integration" if integrates(item.path) else "unit")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Don't even import the others for the unit tests: that takes as long as a quarter of these."""
    return True if config.option.markexpr == "unit" and integrates(collection_path) else None


def integrates(path: Path) -> bool:
    """Whether the tests of a file are no unit tests."""
    return path.is_relative_to(TESTS) and path.relative_to(TESTS).as_posix().startswith(INTEGRATION)


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

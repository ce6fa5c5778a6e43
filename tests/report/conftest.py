"""A finished run that tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small
from tests.report.finished import make


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two networks, fresh from their initial weights, were scored, compared and reported."""
    return small.once(tmp_path_factory, "page", make)

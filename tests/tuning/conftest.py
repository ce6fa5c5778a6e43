"""Studies whose trials take no time."""

from __future__ import annotations

import pytest

from tests.tuning.making import scores_of_names


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials don't train; their scores depend on what a training depends on. For tests of the search around them."""
    monkeypatch.setattr("multiresunet.tuning.study.fit", scores_of_names)

"""Which stage gets which place."""

from __future__ import annotations

import pytest

from flows.slots import Slots, devices


def test_each_gpu_has_one_job_and_cores_are_counted_apart() -> None:
    slots = Slots(1, ["0", "1"])
    assert [slots.take(name) for name in ("train@a", "tune@b", "evaluate@c")] == ["0", "1", None]
    assert [slots.take(name) for name in ("fetch@a", "report")] == ["", None]
    slots.give_back("1")
    slots.give_back("")
    assert [slots.take(name) for name in ("evaluate@c", "train@c", "report", "fetch@b")] == ["1", None, "", None]


def test_without_a_gpu_all_run_on_cores() -> None:
    slots = Slots(2, [])
    assert [slots.take(name) for name in ("train@a", "fetch@a", "tune@a")] == ["", "", None]


@pytest.mark.parametrize(("visible", "found"), [("0,3", ["0", "3"]), ("", [])])
def test_only_visible_devices_are_used(monkeypatch: pytest.MonkeyPatch, visible: str, found: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices() == found

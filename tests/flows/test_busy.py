"""DVC's locks are looked at often for a moment, and then as DVC does it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import dvc.lock
import pytest

from flows import busy


class Clock:
    """Time that goes on when somebody sleeps; at `free` the lock is released."""

    def __init__(self, lock: dvc.lock.Lock, free: float) -> None:
        self.now, self.slept = 0.0, list[float]()
        self._lock, self._free = lock, free

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.now >= self._free and self._lock.is_locked:
            self._lock.unlock()


@pytest.mark.parametrize(
    ("free", "slept"),
    [
        pytest.param(0.03, {busy.OFTEN}, id="soon"),
        pytest.param(2.0, {busy.OFTEN, 0.5}, id="later"),
    ],
)
def test_a_lock_that_is_free_soon_is_taken_soon(
    free: float, slept: set[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dvc.lock.Lock, "_do_lock", dvc.lock.Lock._do_lock)  # as it was, afterwards
    busy.quicken()
    holder, lock = (dvc.lock.Lock(str(tmp_path / "lock"), wait=True) for _ in range(2))
    holder.lock()
    clock = Clock(holder, free)
    for module in (busy, dvc.lock):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=clock.sleep, monotonic=lambda: clock.now))
    lock.lock()
    assert lock.is_locked
    assert set(clock.slept) == slept
    assert clock.now == pytest.approx(free, abs=0.51)


def test_a_lock_that_stays_taken_is_given_up_as_dvc_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc.lock.Lock, "_do_lock", dvc.lock.Lock._do_lock)
    busy.quicken()
    holder, lock = (dvc.lock.Lock(str(tmp_path / "lock")) for _ in range(2))
    holder.lock()
    clock = Clock(holder, 100)
    for module in (busy, dvc.lock):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=clock.sleep, monotonic=lambda: clock.now))
    with pytest.raises(dvc.lock.LockError):
        lock.lock()
    assert not lock.is_locked

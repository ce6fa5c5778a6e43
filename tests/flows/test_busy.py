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


def clocked(folder: Path, free: float, monkeypatch: pytest.MonkeyPatch, wait: bool) -> tuple[dvc.lock.Lock, Clock]:
    """A lock that another one holds until `free`, in a process in which DVC looks often."""
    monkeypatch.setattr(dvc.lock.Lock, "lock", dvc.lock.Lock.lock)  # as it was, afterwards
    busy.quicken()
    holder, lock = (dvc.lock.Lock(str(folder / "lock"), wait=wait) for _ in range(2))
    holder.lock()
    clock = Clock(holder, free)
    for module in (busy, dvc.lock):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=clock.sleep, monotonic=lambda: clock.now))
    return lock, clock


@pytest.mark.parametrize(
    ("free", "often", "seldom"),
    [pytest.param(0.03, 6, 0, id="soon"), pytest.param(2.0, 100, 3, id="later")],
)
def test_a_lock_that_is_free_soon_is_taken_soon(
    free: float, often: int, seldom: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, clock = clocked(tmp_path, free, monkeypatch, wait=True)
    lock.lock()
    assert lock.is_locked
    assert clock.slept.count(0.5) == seldom
    assert len(clock.slept) - seldom == pytest.approx(often, abs=1)  # binary fractions


def test_a_lock_that_stays_taken_is_given_up_half_a_second_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, clock = clocked(tmp_path, 100, monkeypatch, wait=False)
    with pytest.raises(dvc.lock.LockError):
        lock.lock()
    assert not lock.is_locked
    assert clock.now == pytest.approx(busy.SOON + dvc.lock.DEFAULT_TIMEOUT, abs=0.01)

"""SIGTERM and Ctrl-C as requests to stop, which the training loop follows after its current step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

StopSignal = Callable[[], int | None]


@contextmanager
def stop_signals() -> Iterator[StopSignal]:
    """Within the block SIGTERM and SIGINT are noted; the function says which one came, or None.

    A second signal acts as if there were no such block, for those who can't wait. Only for the main thread.
    """
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

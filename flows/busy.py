"""Waits for another DVC that works in the same folder, `dvc repro` by hand say, and says for whom."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import dvc.lock
import psutil
from dvc.exceptions import DvcException

from multiresunet.errors import UserError

BUSY = "it is being blocked by"  # DVC's words for a file that another process has locked
POLL = 1.0  # seconds between two tries
# Stages side by side wait for each other's DVC, which needs some hundredths of a second.
SOON, OFTEN = 0.5, 0.005
Answer = TypeVar("Answer")
_plain = dvc.lock.Lock.lock


def quicken() -> None:
    """Let DVC, in this process, look often whether a lock is free, before it does so each half second."""
    dvc.lock.Lock.lock = _lock


def _lock(lock: dvc.lock.Lock) -> None:
    late = time.monotonic() + SOON
    while time.monotonic() < late:
        try:
            lock._do_lock()
            return
        except dvc.lock.LockError:
            time.sleep(OFTEN)
    _plain(lock)


def when_free(ask: Callable[[], Answer], log: logging.Logger | logging.LoggerAdapter[Any]) -> Answer:
    """The answer to a question to DVC, which is asked again for as long as another process has locked its files.

    Args:
        ask: asks DVC
        log: is told once who has locked them, and since when that one runs
    """
    told = ""
    while True:
        try:
            return ask()
        except (DvcException, UserError) as error:
            if BUSY not in str(error):
                raise
            if (who := holder(str(error))) != told:
                log.warning("%s has locked files that are needed; waiting for its end", who)
                told = who
        time.sleep(POLL)


def holder(message: str) -> str:
    """Who has locked a file, from DVC's error: command, process and start; "another DVC" if DVC names nobody."""
    found = re.search(r"\(PID (\d+)\)", message)
    try:
        process = psutil.Process(int(found[1])) if found else None
        if process:
            words = [word.rpartition("/")[2] for word in process.cmdline()]
            since = datetime.fromtimestamp(process.create_time()).strftime("%H:%M:%S")
            return f"`{' '.join(words)}` (process {process.pid}, since {since})"
    except psutil.Error:
        pass
    return "another DVC"

"""A clean checkout of a commit for a flow, in which a run goes on that was killed there."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.worktree import OWN_LOCK, locked
from multiresunet.errors import UserError
from multiresunet.paths import STATE
from multiresunet.review.git import git

CHECKOUT = STATE / "checkout"
KEPT = STATE / "checkout-state"  # the state of a killed run, while its checkout is made anew


@contextmanager
def working_in(commit: str, log: logging.Logger | logging.LoggerAdapter[Any]) -> Iterator[None]:
    """Go to a clean checkout of a commit; of a remote's branch, its newest.

    The checkout is removed when the run has come to its end, well or not. A run that is stopped or killed leaves it,
    and the next, of whatever commit, goes on from its state: checkpoints, which hold for the same inputs alone. Two
    runs wait for each other.

    Raises:
        UserError: there is no such commit, or the remote can't be reached
    """
    from multiresunet.review import worktree  # pandas, too slow for a run with nothing to do

    if commit.startswith("origin/"):
        try:
            git("fetch", "--quiet", "origin")
        except UserError as error:
            raise UserError(
                f"{error}; see that `git fetch origin` works here, or name a commit that is here: `--commit main`"
            ) from None
    here, before = Path.cwd(), dict(os.environ)
    with locked(CHECKOUT.with_suffix(".lock"), log):
        keep_state(log)
        worktree.add(commit, CHECKOUT)
        if KEPT.exists():
            log.info("The last run in a checkout was stopped; what it has computed is used")
            KEPT.rename(CHECKOUT / STATE)
        os.environ.update(worktree.environment())
        os.chdir(CHECKOUT)
        ended = True
        try:
            yield
        except BaseException as error:
            ended = isinstance(error, Exception)  # Ctrl-C and SIGTERM are none
            raise
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)
            if ended:
                worktree.remove(CHECKOUT)


def keep_state(log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
    """Remove the checkout that a stopped run has left, once its last stage has ended, but keep its state."""
    if (lock := CHECKOUT / OWN_LOCK).exists():
        with locked(lock, log):
            pass
    if (state := CHECKOUT / STATE).exists():
        shutil.rmtree(KEPT, ignore_errors=True)
        state.rename(KEPT)
    if CHECKOUT.exists():
        shutil.rmtree(CHECKOUT)

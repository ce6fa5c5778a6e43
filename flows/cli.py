"""The command `python -m flows.pipeline`: do what `dvc repro` does, by a Prefect flow if there is anything to do.

Prefect isn't imported when nothing is stale. Its server may have been started by then, by a wrong guess
(flows/guess.py): a start takes a second or two, in which this process imports DVC, and then Prefect.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, NoReturn

from flows.commands import CHECK, HOURS, KILLED
from flows.ephemeral import Server, launch, settings
from flows.guess import mark, marked, newest
from multiresunet.errors import UserError, of_the_system, print_any_sign

if TYPE_CHECKING:
    from flows.begun import Begun  # loads DVC


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    found = argparse.ArgumentParser(prog="python -m flows.pipeline", description=(__doc__ or "").partition("\n")[0])
    found.add_argument("targets", nargs="*", help="stages, or kinds of stages, to stop at (default: all)")
    for name in ("datasets", "models"):
        found.add_argument(f"--{name}", type=commas, help=f"write run.{name} to params.yaml first: a,b,c")
    found.add_argument("--recipe", help="write run.recipe to params.yaml first")
    found.add_argument("--cores", type=count, help="stages side by side on the CPU (default: one per core)")
    found.add_argument("--gpus", type=commas, help="devices, a stage on each: 0,1 (default: all there are)")
    found.add_argument("--hours", type=duration, default=HOURS, help="for one stage (default: %(default)g)")
    found.add_argument("--pull", action="store_true", help="fetch the cache from the remote first")
    found.add_argument("--push", action="store_true", help="send the cache to the remote at the end")
    found.add_argument("--base", default="HEAD", help="commit to compare the tables with (default: %(default)s)")
    found.add_argument("--scheduler", help="address of a Dask cluster that runs the stages: tcp://…")
    found.add_argument("--commit", help="work in a clean checkout; fail if git has other tables than it makes")
    return found


def main() -> None:
    """Run the flow as a command: one line for an error, and exit status 1."""
    print_any_sign()
    atexit.register(gc.freeze)  # or else Python looks through all that is loaded when it ends, for half a second
    words = vars(parser().parse_args())
    # Prefect hands SIGTERM on to whoever had it before; Python's default would leave Prefect's server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        whole(*(words[name] for name in ("commit", "targets", "datasets", "models", "recipe")))
        os.environ.update(settings() | os.environ)
        launched: Server | None = launch() if newest() > marked() and own_server() else None
        words["check"] = bool(changes_first(words))
        with ExitStack() as stack:
            due, begun = look(words, stack)
            if due:
                if own_server():
                    launched = launched or launch()
                from flows.server import run

                # Processes load DVC while the server starts; sooner, and they would only keep it from that.
                if begun and not words["scheduler"]:
                    begun.prepare(words["cores"], words["gpus"])
                run(launched, **words)
            elif launched:
                launched.process.kill()
        if not words["commit"] and not words["targets"]:
            mark()
            from multiresunet.review.outcome import outcome

            print(outcome(), flush=True)
    except Exception as error:
        dvc = sys.modules.get("dvc.exceptions")  # it may not be loaded yet
        if isinstance(error, UserError) or (dvc and isinstance(error, dvc.DvcException)):
            leave(" ".join(str(error).split()))
        if line := of_the_system(error):
            leave(line)
        raise
    except KeyboardInterrupt:
        leave("interrupted; run again to go on from here")


def whole(commit: str | None, *others: object) -> None:
    """Check that nothing is asked for beside the judgement of a commit.

    Raises:
        UserError: one of `others` is
    """
    if commit is not None and any(others):
        raise UserError("a commit is judged whole and as it is; leave out targets, data sets, models and recipe")


def leave(line: str) -> NoReturn:
    """End with an error, at once where Prefect would go on for a minute to hand its log to a server that has gone."""
    logging.disable()  # Prefect's threads may have more to say; this is the last word
    sys.stdout.flush()
    print(f"error: {line}", file=sys.stderr, flush=True)
    server = sys.modules.get("flows.server")
    if server and server.is_away():
        os._exit(1)
    sys.exit(1)


def own_server() -> bool:
    """Whether this run has a server of its own."""
    return not os.environ.get("PREFECT_API_URL")


def changes_first(words: Mapping[str, Any]) -> bool:
    """Whether the flow is to change params.yaml, or works elsewhere, so that nothing can be checked before."""
    return any(words[name] for name in ("datasets", "models", "recipe", "commit"))


def look(words: Mapping[str, Any], stack: ExitStack) -> tuple[bool, Begun | None]:
    """See whether params.yaml is right and folders are as it says, and meanwhile whether there is anything to do.

    Args:
        words: the command's
        stack: on which what begins here for the flow is left

    Returns:
        Whether the flow has anything to do, and what has begun for it, if anything has. Ends this process if something
        is wrong.
    """
    if changes_first(words):
        return True, None
    from flows.begun import begin, hand_over
    from flows.graph import FIXABLE

    begun, due, failure = None, True, None
    with subprocess.Popen([sys.executable, "-m", *CHECK]) as check:
        try:
            if not (words["pull"] or words["push"]):
                # A killed run may have left what DVC can't read; so this comes first.
                begun = stack.enter_context(begin(logging.getLogger(__name__)))
                due = bool(begun.due(words["targets"]))
        except FIXABLE as error:
            failure = error
        except BaseException:
            check.kill()
            raise
    if check.returncode in KILLED:
        raise UserError("the look at users' folders was killed (by somebody, or for want of memory); run again")
    if check.returncode:
        sys.exit(check.returncode)  # it has said why, better than DVC can
    if failure:
        raise failure
    if begun and due:
        hand_over(begun)
    return due, begun


def commas(words: str) -> list[str]:
    """The words of a list, of which there may be none."""
    return [word for word in words.split(",") if word]


def count(word: str) -> int:
    """A whole number, 1 or more."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} isn't 1 or more")
    return int(word)


def duration(word: str) -> float:
    """A number above 0."""
    with suppress(ValueError):
        if 0 < (found := float(word)) < math.inf:
            return found
    raise argparse.ArgumentTypeError(f"{word} isn't above 0, and finite")

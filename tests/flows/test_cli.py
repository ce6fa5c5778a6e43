"""What the command says last is the last that is said."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows import guess
from flows.cli import parser
from tests.flows.conftest import free_port

LEAVE = """
import atexit, logging, os, sys
import flows.server
from flows.cli import leave
atexit.register(print, "a log that nobody takes", file=sys.stderr)
is_away = flows.server.is_away
def slowly():  # meanwhile one of Prefect's threads complains
    logging.getLogger("prefect").error("a failed attempt")
    return is_away()
flows.server.is_away = slowly
leave("it failed")
"""


@pytest.mark.slow
@pytest.mark.parametrize("answers", [True, False])
def test_an_error_is_the_last_word_where_the_server_has_gone(answers: bool, environment: dict[str, str]) -> None:
    port = free_port()
    if answers:
        server = http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = environment | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    done = subprocess.run([sys.executable, "-c", LEAVE], env=settings, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: it failed"] + ["a log that nobody takes"] * answers
    if answers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--cores 0", "--cores: 0 isn't 1 or more"),
        ("--hours 0", "--hours: 0 isn't above 0, and finite"),
        ("--hours nan", "--hours: nan isn't above 0, and finite"),
        ("--hours inf", "--hours: inf isn't above 0, and finite"),
        ("--hours x", "--hours: x isn't above 0, and finite"),
    ],
)
def test_words_that_make_no_sense_are_refused_at_once(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(words.split())
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_words_that_make_sense_are_taken() -> None:
    found = parser().parse_args(["--cores", "2", "--hours", "0.5", "train"])
    assert (found.cores, found.hours, found.targets) == (2, 0.5, ["train"])


def test_a_change_since_nothing_was_to_be_done_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert guess.newest() == guess.marked() == 0
    code = tmp_path / "multiresunet/report/charts.py"
    code.parent.mkdir(parents=True)
    code.touch()
    code.with_name("__pycache__").mkdir()
    assert guess.newest() > guess.marked()
    guess.mark()
    assert guess.newest() <= guess.marked()
    for path, later in ((code.parent / "__pycache__/charts.pyc", False), (code, True)):
        path.touch()
        os.utime(path, (guess.marked() + 5, guess.marked() + 5))
        assert (guess.newest() > guess.marked()) is later


GUESS = """
import sys
from flows import cli
guessed, launch, started = {guessed}, cli.launch, []
cli.newest, cli.marked = lambda: float(guessed), lambda: 0.0
cli.launch = lambda: started.append(launch()) or started[-1]
sys.argv = ["flows.pipeline"]
cli.main()
print(len(started), [server.process.wait(30) for server in started], "prefect" in sys.modules)
"""


@pytest.mark.parametrize(("guessed", "told"), [(True, "1 [-9] False"), (False, "0 [] False")])
def test_a_server_that_was_started_for_nothing_is_ended(
    finished: Path, settings: dict[str, str], guessed: bool, told: str
) -> None:
    code = GUESS.format(guessed=guessed)
    done = subprocess.run([sys.executable, "-c", code], cwd=finished, env=settings, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == [told], done.stderr

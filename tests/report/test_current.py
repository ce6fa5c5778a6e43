"""The page is rendered again if, and only if, something that it shows has changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from multiresunet import paths
from multiresunet.report import __main__ as command
from multiresunet.report import current, page, provenance

HEAD, OWN = "schema: '2.0'\nstages:\n", "  report:\n    cmd: python -m stages.report\n    outs:\n    - path: a\n"
ONE, TWO = (f"  fetch@{name}:\n    cmd: python -m stages.fetch\n" for name in "ab")


@pytest.fixture
def rendered(made: Path, tmp_path: Path) -> Iterator[None]:
    """A finished run in the current folder, with its page."""
    with chdir(shutil.copytree(made, tmp_path / "copy", symlinks=True)):
        paths.LOCK.write_text(HEAD + ONE + TWO)
        page.render()
        yield


def appended(path: Path) -> Callable[[], object]:
    return lambda: path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    "change",
    [
        appended(paths.METRICS / "summary.csv"),
        appended(paths.EVALUATED / "nuclei/gallery.json"),
        appended(paths.PARAMS),
        appended(paths.PAGE),
        lambda: paths.LOCK.write_text(HEAD + ONE + TWO.replace("fetch@b", "fetch@c")),
        lambda: (paths.METRICS / "summary.csv").touch(),
        lambda: (paths.TRAINING_SECONDS / "nuclei-unet-2.csv").write_text("machine\n"),
        lambda: (paths.INFERENCE_SECONDS / "nuclei-unet-2.csv").write_text("machine\n"),
        lambda: (paths.RAW / "nuclei").mkdir(parents=True) or (paths.RAW / "nuclei/manifest.csv").touch(),
        lambda: (paths.DATASET_PAGES / "nuclei.html").write_text("of an older run"),
        paths.PAGE.unlink,
        current.RENDERED.unlink,
    ],
)
def test_what_the_page_shows_has_changed(rendered: None, change: Callable[[], object]) -> None:
    assert current.is_current()
    for folder in (paths.TRAINING_SECONDS, paths.INFERENCE_SECONDS, paths.DATASET_PAGES):
        folder.mkdir(parents=True, exist_ok=True)
    assert current.is_current()
    change()
    assert not current.is_current()


def test_what_changes_while_the_page_is_rendered_is_seen(rendered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read = page.tables.read

    def edited(folder: Path) -> object:
        found = read(folder)
        appended(paths.PARAMS)()
        return found

    monkeypatch.setattr(page.tables, "read", edited)
    page.render()
    assert not current.is_current()


def test_another_commit_is_another_page(rendered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "commit", lambda: "another")
    assert not current.is_current()


def test_what_dvc_writes_of_the_report_itself_changes_nothing(rendered: None) -> None:
    paths.LOCK.write_text(HEAD + TWO + OWN + ONE)  # and in another order
    assert current.is_current()


def test_a_page_that_is_current_is_named_and_left(rendered: None, capsys: pytest.CaptureFixture[str]) -> None:
    before = paths.PAGE.stat().st_mtime_ns
    command.main()
    assert paths.PAGE.stat().st_mtime_ns == before
    (paths.METRICS / "summary.csv").touch()
    command.main()
    assert paths.PAGE.stat().st_mtime_ns > before
    assert current.is_current()
    assert capsys.readouterr().out == f"Report: {paths.PAGE}\n" * 2

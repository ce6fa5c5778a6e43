"""The page in a browser: images go in, masks come out as `predict` writes them, and nobody else is asked."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from multiresunet import arithmetic
from multiresunet.inference.inputs import read
from multiresunet.inference.loading import load_model
from multiresunet.inference.outputs import displayed
from tests.inference.making import trained
from tests.report.chromium import BINARY, PATIENCE, Browser
from tests.serving.test_app import VOLUME, by_predict, deep, oblique, picture

ROOT = Path(__file__).parents[2]
# In the arithmetic of this process, so that the same masks are the same bytes.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), arithmetic.CHOICE: arithmetic.in_use()}
READY = "!document.body.hasAttribute('aria-busy') && !document.getElementById('file').disabled"
in_browser = pytest.mark.skipif(BINARY is None, reason="no Chromium here")


class Served:
    """`multiresunet serve` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        """Start it, and wait for its address."""
        command = [sys.executable, "-m", "multiresunet", "serve", str(folder), "--port", "0", "--threads", "1", *words]
        self.process = subprocess.Popen(
            command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        found = re.search(r"http://\S+:\d+", self.line)
        assert found, self.process.communicate()
        self.address = found[0]

    def stop(self) -> tuple[int, str]:
        """End it as Ctrl+C does; its status, and what it has complained about."""
        self.process.send_signal(signal.SIGINT)
        errors = self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Served]]:
    """A model of grey pictures, and its server."""
    folder = trained(tmp_path_factory.mktemp("pictures"))
    served = Served(folder)
    yield folder, served
    assert served.stop() == (0, "")


@pytest.fixture
def browser(chromium: Browser, tmp_path: Path) -> Browser:
    """A tab of its own for each test, which saves what it downloads into `saved`."""
    chromium.anew()
    (tmp_path / "saved").mkdir()
    chromium.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
    return chromium


def choose(browser: Browser, path: Path) -> None:
    """Choose a file, and wait until it is predicted or refused."""
    place = browser.call("Runtime.evaluate", expression="document.getElementById('file')")["result"]["objectId"]
    browser.call("DOM.setFileInputFiles", files=[str(path)], objectId=place)
    browser.until(READY)


def downloaded(browser: Browser, folder: Path, output: str, name: str) -> bytes:
    """Click a button, and wait for the file."""
    browser.run(f"document.querySelector('[data-output={output}]').click()")
    deadline = time.monotonic() + PATIENCE
    while not (folder / "saved" / name).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    return (folder / "saved" / name).read_bytes()


def set_to(browser: Browser, slider: str, value: float) -> None:
    browser.run(
        f"(() => {{ const s = document.getElementById('{slider}'); s.value = {value}; "
        "s.dispatchEvent(new Event('input')); })()"
    )


SHARE = """[...document.querySelectorAll('#facts tr')]
    .find((row) => row.cells[0].textContent === 'foreground').cells[1].textContent"""
PIXELS = """(() => { const c = document.getElementById('canvas');
    return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 !== 3); })()"""


@in_browser
def test_a_picture_goes_in_and_its_mask_comes_out(
    pictures: tuple[Path, Served], browser: Browser, tmp_path: Path
) -> None:
    folder, served = pictures
    model = load_model(folder, device=torch.device("cpu"))
    browser.open(served.address)
    browser.until(READY)
    for make in (picture, deep):
        path = make(tmp_path)
        expected = by_predict(model, path, ("mask", "overlay"))
        choose(browser, path)
        for name, content in expected.items():
            assert downloaded(browser, tmp_path, name.split("_")[1].split(".")[0], name) == content
        (tmp_path / "saved/a_overlay.png").unlink()
    # What is seen is the overlay once nothing is tinted, and follows the threshold.
    set_to(browser, "opacity", 0)
    shown = np.array(browser.run(PIXELS)).reshape(40, 56, 3)
    np.testing.assert_array_equal(shown, np.asarray(Image.open(tmp_path / "out/a_overlay.png")))
    share = browser.run(SHARE)
    set_to(browser, "threshold", 0.4)
    assert browser.until(SHARE, lambda text: text != share)
    assert browser.run(PIXELS) != shown.ravel().tolist()
    set_to(browser, "threshold", 0)  # all is foreground, up to the frame, which is no outline
    plain = displayed(read(path).array)
    np.testing.assert_array_equal(np.array(browser.run(PIXELS)).reshape(plain.shape), plain)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=640, y=400)
    assert browser.requests()[0] == f"{served.address}/"
    assert all(url.startswith((f"{served.address}/", f"blob:{served.address}/")) for url in browser.requests())
    assert browser.complaints() == []


@in_browser
def test_an_answer_for_the_image_before_changes_nothing(
    pictures: tuple[Path, Served], browser: Browser, tmp_path: Path
) -> None:
    browser.open(pictures[1].address)
    browser.until(READY)
    choose(browser, picture(tmp_path))
    browser.run(
        """(() => { const ask = fetch; window.late = []; window.fetch = async (url, words) => {
        const answer = await ask(url, words);
        if (/predictions\\/\\w+\\?threshold/.test(url)) await new Promise((go) => window.late.push(go));
        return answer; }; })()"""
    )
    set_to(browser, "threshold", 0.3)
    browser.until("window.late.length", lambda count: count == 1)
    other = (tmp_path / "a.png").rename(tmp_path / "other.png")
    choose(browser, other)
    figures = "document.getElementById('facts').textContent"
    shown = browser.run(figures)
    assert "other.png" in shown
    browser.run("window.late.forEach((go) => go())")
    browser.run("new Promise((done) => setTimeout(done, 200))")
    assert browser.run(figures) == shown
    assert downloaded(browser, tmp_path, "mask", "other_mask.png")


@pytest.mark.slow
@in_browser
def test_a_volume_is_walked_through(browser: Browser, tmp_path: Path) -> None:
    folder = trained(tmp_path / "model", VOLUME, normalisation="zscore")
    served = Served(folder, "--token", "secret")
    path = oblique(tmp_path)
    expected = by_predict(load_model(folder, device=torch.device("cpu")), path, ("mask",))
    browser.open(f"{served.address}/#token=secret")
    browser.until(READY)
    assert browser.run("location.hash") == ""
    choose(browser, path)
    assert downloaded(browser, tmp_path, "mask", "a_mask.nii.gz") == expected["a_mask.nii.gz"]
    assert browser.run("document.getElementById('axis').selectedOptions[0].textContent") == "axial"
    before = browser.run(PIXELS)
    place = browser.run("Number(document.getElementById('slice').value)")
    set_to(browser, "slice", 0 if place else 1)
    browser.until(PIXELS, lambda pixels: pixels != before)
    size = "[document.getElementById('canvas').width, document.getElementById('canvas').height]"
    sides = browser.run(size)
    browser.run("(() => { const a = document.getElementById('axis'); a.value = 0; a.onchange(); })()")
    others = browser.until(size, lambda now: now != sides)
    assert len({*sides, *others}) == 3, "a plane across another axis"
    assert browser.complaints() == []
    assert served.stop() == (0, "")


@pytest.mark.slow
@in_browser
def test_what_cannot_be_predicted_is_a_line(pictures: tuple[Path, Served], browser: Browser, tmp_path: Path) -> None:
    _, served = pictures
    browser.open(served.address)
    browser.until(READY)
    (tmp_path / "notes.txt").write_text("no image")
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(300 * 10**6)
    error = "document.getElementById('error').textContent"
    for name, says in {
        "notes.txt": "notes.txt: not an image that can be read",
        "large.tif": "large.tif: 286 MiB, where this server takes 256 MiB; use `multiresunet predict`",
    }.items():
        choose(browser, tmp_path / name)
        assert browser.run(error).startswith(says)
        assert browser.run("document.getElementById('result').hidden")
        browser.run("dispatchEvent(new Event('resize'))")
    seen = {e["params"]["response"]["status"] for e in browser.events if e.get("method") == "Network.responseReceived"}
    assert {413, 422} <= seen
    choose(browser, picture(tmp_path))  # and it goes on
    assert browser.run(error) == ""
    assert not browser.run("document.getElementById('result').hidden")
    refused = "the server responded with a status of 4"  # which the browser says by itself
    assert [one for one in browser.complaints() if refused not in str(one)] == []
    assert browser.requests() and all(url.startswith(f"{served.address}/") for url in browser.requests())


@in_browser
def test_a_file_can_be_dropped(pictures: tuple[Path, Served], browser: Browser, tmp_path: Path) -> None:
    browser.open(pictures[1].address)
    browser.until(READY)
    content = base64.b64encode(picture(tmp_path).read_bytes()).decode()
    browser.run(
        f"""(() => {{ const data = new DataTransfer();
        const bytes = Uint8Array.from(atob("{content}"), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], "a.png"));
        const drop = new DragEvent("drop", {{ dataTransfer: data, bubbles: true, cancelable: true }});
        document.getElementById("drop").dispatchEvent(drop); }})()"""
    )
    browser.until("!document.getElementById('result').hidden")
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others could use this server; set a secret: --token"),
        (["--host", "no.such.host.invalid", "--token", "x"], "http://no.such.host.invalid:8000: "),
        (["--token", "zwölf"], "--token: has spaces or signs that a browser can't send"),
        (["--limit", "much"], "--limit 'much' is no size"),
        (["--port", "0"], "no such folder"),
    ],
)
def test_a_word_that_is_wrong_is_one_line(words: list[str], says: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "multiresunet", "serve", str(tmp_path / "none"), *words]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert says in done.stderr


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "multiresunet", "serve", str(tmp_path), "--port", port]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"http://127.0.0.1:{port}: Address already in use; choose another --port" in done.stderr

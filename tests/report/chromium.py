"""Chromium over its debugging pipe: messages end with a zero byte, and no library is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--remote-debugging-pipe", "about:blank"),
)
PATIENCE = 300.0  # seconds; a busy machine needs minutes


class Browser:
    """One tab. `events` has all that the browser has reported since a page was opened."""

    _session: str | None = None
    _context: str | None = None

    def __init__(self, profile: Path) -> None:
        """Start the browser with an empty profile."""
        assert BINARY
        read_by_it, self._write = os.pipe()
        self._read, written_by_it = os.pipe()

        # Spare copies first, so that neither end is overwritten while the other is put in its place.
        spare = os.dup(read_by_it), os.dup(written_by_it)

        def place() -> None:
            for target, source in zip((3, 4), spare, strict=True):
                os.dup2(source, target)

        self._process = subprocess.Popen(
            [BINARY, f"--user-data-dir={profile}", *FLAGS],
            pass_fds=(3, 4, *spare),
            preexec_fn=place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (read_by_it, written_by_it, *spare):
            os.close(end)
        self.events: list[dict[str, Any]] = []
        self._left, self._count = b"", 0
        self.anew()

    def anew(self) -> None:
        """Leave all behind that pages have stored and asked for: another tab, in a context of its own."""
        self._session = None
        if self._context:
            self.call("Target.disposeBrowserContext", browserContextId=self._context)
        self._context = self.call("Target.createBrowserContext")["browserContextId"]
        where = {"browserContextId": self._context, "width": 1280, "height": 900}
        target = self.call("Target.createTarget", url="about:blank", **where)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.open("about:blank")
        self.events.clear()

    def call(self, method: str, **words: Any) -> Any:
        """Call a method of the protocol and wait for its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": words}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._left += part
        text, self._left = self._left.split(b"\0", 1)
        return json.loads(text)  # type: ignore[no-any-return]

    def open(self, page: Path | str) -> float:
        """Load a page from a file or an address; seconds until its load event."""
        since = time.perf_counter()
        self.events.clear()  # the load of an earlier page, for one
        self.call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())
        return time.perf_counter() - since

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, wanted: Callable[[Any], bool] = bool) -> Any:
        """Value of an expression, once it is as wanted."""
        end = time.monotonic() + PATIENCE
        while not wanted(value := self.run(script)):
            assert time.monotonic() < end, f"{script} stays {value!r}"
            time.sleep(0.05)
        return value

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and let go a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"ArrowLeft": 37, "ArrowRight": 39}[key]
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=8 * shift
            )

    def complaints(self) -> list[Any]:
        """Errors and warnings on the console, and exceptions that nobody has caught."""
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded"}
        spoken = [e["params"] for e in self.events if e.get("method") == "Runtime.consoleAPICalled"]
        return [e["params"] for e in self.events if e.get("method") in kinds] + spoken

    def requests(self) -> list[str]:
        """Addresses that were asked for, but for what the page itself holds."""
        sent = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith("data:")]

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._read)
        os.close(self._write)

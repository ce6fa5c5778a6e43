"""A server on this machine that misbehaves on order."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = b"<!DOCTYPE html>\n<html><form>Please log in</form></html>"


class Web:
    """Files by path, what to do wrong with the next requests for a path, and what was asked for.

    A fault is a status, a status with headers, or one of: "truncate" (half the body), "spoil" (another body of the same
    length), "lengthen" (a body without end), "login" (a page), "hang up" (no answer).
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Any]] = {}
        self.asked: list[str] = []
        self.ranges: list[tuple[str, int]] = []  # path and first byte, where a range was answered
        self.sent = 0  # bytes of bodies
        self.open = 0  # requests that are being answered
        self.at_once = self.most_at_once = 0
        self.has_ranges = True
        self.delay = 0.0  # seconds before each 4 kB
        lock = threading.Lock()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                with lock:
                    web.open += 1
                try:
                    with suppress(OSError):  # the client was killed, or has heard enough
                        self.answer(self.path.partition("?")[0])
                finally:
                    with lock:
                        web.open -= 1

            def answer(self, path: str) -> None:
                content = web.files.get(path)
                faults = web.faults.get(path, [])
                fault = faults.pop(0) if faults else None
                status, headers = fault if isinstance(fault, tuple) else (fault, {})
                if fault == "hang up":
                    return
                if content is None or isinstance(status, int):
                    self.reply(status or 404, 0, headers)
                    return
                if fault == "login":
                    self.reply(200, len(PAGE), {"Content-Type": "text/html; charset=utf-8"})
                    self.wfile.write(PAGE)
                    return
                if fault == "lengthen":
                    self.reply(200, None, {})
                    for _ in range(1000):
                        self.send(b"x" * 65536)
                    return
                start = 0
                asked = self.headers.get("Range")
                if asked and web.has_ranges:
                    start = int(asked.removeprefix("bytes=").rstrip("-"))
                    if start >= len(content):
                        self.reply(416, 0, {})
                        return
                    web.ranges.append((path, start))
                    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                    self.reply(206, len(content) - start, {"Content-Range": span})
                else:
                    self.reply(200, len(content), {})
                body = content[start:]
                self.send({"truncate": body[: len(body) // 2], "spoil": body[::-1]}.get(str(fault), body))

            def reply(self, status: int, length: int | None, headers: dict[str, str]) -> None:
                self.send_response(status)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def send(self, body: bytes) -> None:
                step = 4096 if web.delay else len(body) or 1
                with lock:
                    web.at_once += 1
                    web.most_at_once = max(web.most_at_once, web.at_once)
                for at in range(0, len(body), step):
                    time.sleep(web.delay)
                    with lock:  # before the bytes: with the last ones the client may begin the next file, or end
                        web.sent += len(body[at : at + step])
                        web.at_once -= at + step >= len(body)
                    self.wfile.write(body[at : at + step])

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()

"""Whatever a server answers, a file is whole and right, or the run ends in one line."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiresunet.config import Fetch
from multiresunet.data.sources import transfer
from multiresunet.data.sources.download import fetch_files
from multiresunet.data.sources.transfer import Remote
from multiresunet.errors import UserError
from tests import bounds

BODY = bytes(range(256)) * 40
DIGEST = hashlib.sha256(BODY).hexdigest()


class Parrot:
    """A server that answers each connection with the next of its answers, whatever is asked, and hangs up."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.count = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/a.png"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    connection.sendall(self.answers[self.count % len(self.answers)])
                    self.count += 1
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)  # until the client has read it

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def parrot() -> Iterator[Parrot]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "BACKOFF", 0)
        patch.setattr(transfer, "LONGEST_PAUSE", 0)
        patch.setenv("NO_PROXY", "127.0.0.1")
        server = Parrot()
        yield server
        server.close()


NUMBERS = st.sampled_from(["0", str(len(BODY)), "5120", "-1", "x", "", "99999999999999999999", "1e3", "5, 6"])
HEADERS = st.one_of(
    st.builds("Content-Length: {}".format, NUMBERS),
    st.builds("Content-Range: bytes {}-{}/{}".format, NUMBERS, NUMBERS, NUMBERS),
    st.builds("Retry-After: {}".format, st.one_of(NUMBERS, st.just("Wed, 21 Oct 9999 07:28:00"))),
    st.builds(
        "Location: {}".format,
        st.sampled_from(
            ["", "/", "//", "/a.png", "http://[", "http://127.0.0.1:9/", "ftp://a", "file:///dev/zero", "\\"]
        ),
    ),
    st.sampled_from(
        [
            *(
                "Transfer-Encoding: chunked",
                "Transfer-Encoding: gzip",
                "Content-Encoding: gzip",
                "Content-Encoding: br",
            ),
            *("Content-Type: text/html", "Content-Type: ;;=", "Set-Cookie: a=\x7f; expires=x", "Connection: close"),
            *("A: " + "b" * 200_000, "no colon", ": no name", "Content-Range: bytes */*", "Content-Range: lines 1-2/3"),
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
FIRST = st.one_of(
    st.builds(
        "HTTP/1.1 {} x".format, st.sampled_from([100, 103, 200, 204, 206, 301, 302, 304, 308, 404, 416, 429, 503])
    ),
    st.sampled_from(["HTTP/1.1 200", "HTTP/9.9 200 x", "HTTP/1.1 999999 x", "ICY 200 OK", "", "HTTP/1.0 206 x"]),
)
BODIES = st.one_of(
    st.sampled_from([b"", BODY, BODY[:5120], BODY[5120:], BODY[::-1], BODY + b"x", b"<html>", b"\x1f\x8b\x08"]),
    st.sampled_from([b"2800\r\n" + BODY + b"\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n\r\n", b"ffffffffffffffff\r\n" + BODY]),
    st.binary(max_size=50),
)
ANSWERS = st.lists(st.tuples(FIRST, st.lists(HEADERS, max_size=4), BODIES), min_size=1, max_size=5)


@given(answers=ANSWERS, part=st.sampled_from([b"", BODY[:5120], BODY, b"x" * 20_000]), sized=st.booleans())
@settings(max_examples=150)
def test_a_file_is_right_or_the_error_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    parrot: Parrot,
    answers: list[tuple[str, list[str], bytes]],
    part: bytes,
    sized: bool,
) -> None:
    store: Path = tmp_path_factory.getbasetemp() / "answers"
    store.mkdir(exist_ok=True)
    for left in store.iterdir():
        left.unlink()
    if part:
        (store / f"{DIGEST}.part").write_bytes(part)
    parrot.answers = [
        "\r\n".join([first, *headers, "", ""]).encode("latin-1") + body for first, headers, body in answers
    ]
    parrot.count = 0
    file = Remote(parrot.url, DIGEST, len(BODY) if sized else None)
    try:
        with bounds.memory():
            kept = fetch_files([file], store, Fetch())
        assert kept[DIGEST].read_bytes() == BODY
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).startswith("http://")
        assert not (store / DIGEST).exists()
    assert parrot.count < 200


def test_the_whole_file_in_pieces_is_taken(tmp_path: Path, parrot: Parrot) -> None:
    head = f"HTTP/1.1 206 x\r\nContent-Range: bytes 5120-10239/10240\r\nContent-Length: {len(BODY) - 5120}\r\n\r\n"
    parrot.answers, parrot.count = [b"HTTP/1.1 200 x\r\nContent-Length: 10240\r\n\r\n" + BODY[:5120]], 0
    parrot.answers.append(head.encode() + BODY[5120:])
    kept = fetch_files([Remote(parrot.url, DIGEST)], tmp_path, Fetch())
    assert (kept[DIGEST].read_bytes(), parrot.count) == (BODY, 2)

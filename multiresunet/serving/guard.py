"""Around every request: it must be for this server, from its own page, and know the token.

Every answer says what a browser may do with it, which is to ask nobody else for anything.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address; of names, `localhost` alone is sure to stand for one."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Around an application.

    Args:
        app: the application.
        token: that requests to /api must carry (`Authorization: Bearer TOKEN`); None if there is none.
        local: whether only this machine's own names may be asked for, so that no name of another page's can stand for
            this server (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, token: str | None, local: bool) -> None:
        self._app, self._token, self._local = app, token, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refused(scope["path"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, with_headers)

    def _refused(self, path: str, headers: Headers) -> JSONResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._local and not is_local(_name(host)):
            return error(403, f"this server answers to localhost only, not to {host!r}; see --host")
        if origin is not None and origin.partition("://")[2] != host:
            return error(403, f"asked by a page of {origin}; only this server's own page may do that")
        if self._token is not None and path.startswith("/api/"):
            given = headers.get("authorization", "").removeprefix("Bearer ")
            if not secrets.compare_digest(given.encode(), self._token.encode()):
                return error(401, "the token is missing or wrong; programs send the header Authorization: Bearer TOKEN")
        return None


def _name(host: str) -> str:
    """A Host header without its port; empty if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def error(status: int, line: str) -> JSONResponse:
    """An error, in one line."""
    return JSONResponse({"error": line}, status)

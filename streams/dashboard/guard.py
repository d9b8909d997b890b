"""Who may ask, and what a browser may do with the answer; plain ASGI, so that streams stay streams."""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import parse_qs, urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HostGuard", "SecurityHeaders", "TokenGuard", "is_loopback"]

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_GUARDED = "/api/"


def is_loopback(host: str) -> bool:
    """Whether an address or name stands for this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class TokenGuard:
    """Lets a request to /api through that bears the token, in its header or as `?token=`.

    EventSource cannot send headers, hence the second.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        guarded = scope["type"] == "http" and scope["path"].startswith(_GUARDED)
        if not guarded or self._is_known(scope):
            await self._app(scope, receive, send)
            return
        await _refuse(send, 401, "a bearer token is needed", "authorization")

    def _is_known(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            given = query.get("token", [""])[0]
        return hmac.compare_digest(given.strip().encode(), self._token)


class HostGuard:
    """Without a token only requests to this machine by name are answered.

    Otherwise any page in a browser here could read the API under a name that it points at 127.0.0.1.
    Nor may a page from elsewhere ask anything (`Origin`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if not is_loopback(_host_of(headers.get("host", ""))):
                await _refuse(send, 403, "without a token only localhost is served", "host")
                return
            if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
                await _refuse(send, 403, "without a token only localhost may ask", "origin")
                return
        await self._app(scope, receive, send)


def _host_of(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0] or host


class SecurityHeaders:
    """Adds what keeps a browser from loading, framing or keeping more than it should."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                # Figures are of one moment; files of the page are asked for again and mostly unchanged.
                kept = "no-store" if scope["path"].startswith(_GUARDED) else "no-cache"
                headers.setdefault("cache-control", kept)
            await send(message)

        await self._app(scope, receive, sending)


async def _refuse(send: Send, status: int, error: str, field: str) -> None:
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = msgspec.json.encode({"error": error, "field": field})
    await send({"type": "http.response.body", "body": body})

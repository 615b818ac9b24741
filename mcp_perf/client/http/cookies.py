"""The cookies of one client: it sends back what its server sets, by the rules of `http.cookiejar`.

Balancers keep a client on one process by a cookie, so a client without cookies would lose its
session there.
"""

import time
from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar
from math import inf
from typing import Final
from urllib.request import Request

from mcp_perf.client.http.endpoint import Origin

_MOST: Final = 50
"""Cookies of one client; RFC 6265, section 6.1, asks for at least this many."""
_LONGEST: Final = 4096
"""Bytes of one cookie with its attributes, from the same section."""
_MOST_TARGETS: Final = 256
_SETS: Final = "the server sets the cookie"
_COOKIE: Final = b"\r\ncookie:"


class _Fields:
    """The Set-Cookie fields, as `http.cookiejar` asks a response for them."""

    def __init__(self, fields: Iterable[bytes]) -> None:
        self._message = Message()
        for one in fields:
            self._message["Set-Cookie"] = one.decode("latin-1")

    def info(self) -> Message:
        return self._message


class Cookies:
    """Keeps the cookies of one client for one origin. All connections of the client share it."""

    __slots__ = ("_encoded", "_jar", "_origin", "_sent", "_unsent", "_until_s", "any")

    def __init__(self, origin: Origin) -> None:
        self._origin: Final = f"{origin.scheme}://{origin.authority}"
        self._jar: CookieJar | None = None
        """Made for the first cookie: a thousand users without cookies need no jars."""
        self._sent: dict[str, None] = {}
        """The names of cookies that were set and come back, in their order."""
        self._unsent: dict[str, str] = {}
        """The names of the other cookies that were set, each with the reason."""
        self._encoded: dict[bytes, bytes] = {}
        """The header field for each request target."""
        self._until_s = inf
        """When the first cookie expires, in seconds since the epoch."""
        self.any = False
        """Whether there may be a cookie to send: most servers set none."""

    def take(self, fields: list[bytes], request: bytes) -> None:
        """Keep what the Set-Cookie fields of the response to `request` set."""
        target = _target(request)
        fields = [one for one in fields if len(one) <= _LONGEST]
        asked = self._request(target)
        jar = self._jar = self._jar or CookieJar()
        jar.extract_cookies(_Fields(fields), asked)  # type: ignore[arg-type]
        while len(jar) > _MOST:
            oldest = next(iter(jar))
            jar.clear(oldest.domain, oldest.path, oldest.name)
        self._changed()
        for one in fields:
            self._note(one.partition(b"=")[0].strip().decode("latin-1"), target)

    def added_to(self, request: bytes) -> bytes:
        """Return a request with the cookies that it should carry, unless it has its own."""
        if time.time() >= self._until_s:
            self._changed()
        target = _target(request)
        encoded = self._encoded.get(target)
        if encoded is None:
            encoded = self._encode(target)
        end = request.find(b"\r\n")
        if not encoded or _COOKIE in request[: request.find(b"\r\n\r\n") + 2].lower():
            return request
        return b"%b\r\nCookie: %b%b" % (request[:end], encoded, request[end:])

    def forget(self) -> None:
        """Begin without cookies, as a new client does; what was set before is still remarked on."""
        self._jar = None
        self._changed()

    def remarks(self) -> list[str]:
        """Say which cookies were set, and what became of them; the values are confidential."""
        sent = [f"{_SETS} {name!r}, which each user sends back" for name in self._sent]
        return [*sent, *self.unsent()]

    def unsent(self) -> list[str]:
        """Say which cookies do not come back, and why."""
        return [f"{_SETS} {name!r}, which {why}" for name, why in self._unsent.items()]

    def _changed(self) -> None:
        self._encoded = {}
        if self._jar is not None:
            self._jar.clear_expired_cookies()
        kept = list(self._jar or ())
        self._until_s = min((one.expires or inf for one in kept), default=inf)
        self.any = bool(kept)

    def _request(self, target: bytes) -> Request:
        path = target.decode("latin-1")
        # A proxy is asked for whole addresses; a path may hold one in its query.
        url = self._origin + path if path.startswith("/") else path
        return Request(url)  # noqa: S310 -- not opened

    def _encode(self, target: bytes) -> bytes:
        asked = self._request(target)
        if self._jar is not None:
            self._jar.add_cookie_header(asked)
        if len(self._encoded) >= _MOST_TARGETS:
            self._encoded.clear()
        encoded = (asked.get_header("Cookie") or "").encode("latin-1")
        self._encoded[target] = encoded
        return encoded

    def _note(self, name: str, target: bytes) -> None:
        """Note whether a cookie that was just set comes back, and if it does not, why."""
        if len(self._sent) + len(self._unsent) >= _MOST:
            return
        kept = [one for one in self._jar or () if one.name == name]
        pairs = self._encode(target).decode("latin-1").split("; ")
        if kept and any(pair.startswith(f"{name}=") for pair in pairs):
            self._sent[name] = None
        elif name in self._sent:
            return
        elif not kept:
            self._unsent[name] = "has expired or is for another host, so it is not sent back"
        elif kept[0].secure and self._origin.startswith("http:"):
            self._unsent[name] = "is marked Secure, so it is not sent over http"
        else:
            self._unsent[name] = f"is for the path {kept[0].path}, so it is not sent back"


def _target(request: bytes) -> bytes:
    """Return the request target, which the first line has in its middle."""
    return request[: request.find(b"\r\n")].split(b" ")[1]

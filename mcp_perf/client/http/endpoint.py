"""Where requests go: an origin, an address on it, and the headers that all requests carry."""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from mcp_perf.client.http.http1 import ResponseReader, encode_headers

DEFAULT_TIMEOUT_S: Final = 10.0
USER_AGENT: Final = f"mcp-perf/{version('mcp-perf')} (load test)"
"""Tells the owner of a server what calls it: docs/explanation/for-server-owners.md is for them."""
_OURS: Final = frozenset(
    ("content-length", "transfer-encoding", "connection", "host", "mcp-session-id", "expect")
)
_LOGIN: Final = "proxy-authorization"
_STRANGE: Final = re.compile(r"[^!-~]")


def secured(
    *, verify: bool = True, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """Return how TLS is done: whom we trust, and the certificate and key that we show.

    Each is a file; without a file for the key, the certificate's file contains it. Raises
    ValueError on a file that cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:  # an empty password, or OpenSSL asks for one on the terminal
            context.load_cert_chain(cert, key, password="")
    except OSError as error:
        cure = " (the key must belong to the certificate and have no password)" if cert else ""
        files = " or ".join(filter(None, (ca, cert, key)))
        raise ValueError(f"the certificate file {files} cannot be used: {error}{cure}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a target, and how its certificate is checked."""

    scheme: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    only_public: bool = False
    """Whether only a server named it: then it may not lead into the user's own network."""
    called: str = ""
    """The server's own name, with a port if it has one; empty: as in the address."""
    proxy: "Origin | None" = None
    """The proxy to connect through; None connects directly."""
    login: str = field(default="", repr=False)
    """The Proxy-Authorization, which only the proxy gets."""
    socket: str = ""
    """The file of a Unix domain socket to connect to instead."""

    @classmethod
    def of(
        cls, url: str, *, tls: Callable[[], ssl.SSLContext] = secured, called: str = ""
    ) -> "Origin":
        """Read an origin from an address. Raises ValueError if it is not http or https."""
        if strange := _STRANGE.search(url):
            hint = "percent-encode it (ł is %C5%82), or write xn--… in a host name"
            raise ValueError(
                f"{url!r} contains {strange[0]!r}, which is not allowed in an address: {hint}"
            )
        parts = urlsplit(url)
        if parts.scheme == "http+unix" and parts.netloc:
            called = called or "localhost"
            return cls("http", "localhost", 80, called=called, socket=unquote(parts.netloc))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https address")
        if parts.scheme == "http":
            return cls("http", parts.hostname, parts.port or 80, called=called)
        return cls("https", parts.hostname, parts.port or 443, tls(), called=called)

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return self.called or self.address

    @property
    def address(self) -> str:
        """Where connections go, as messages say it."""
        if self.socket:
            return self.socket
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 80 if self.scheme == "http" else 443
        return host if self.port == default else f"{host}:{self.port}"

    def same(self, url: str) -> bool:
        """Tell whether an address is on this origin, by the server's own name."""
        parts, own = urlsplit(url), urlsplit(f"{self.scheme}://{self.authority}")
        default = 443 if own.scheme == "https" else 80
        ours = own.scheme, own.hostname, own.port or default
        return (parts.scheme, parts.hostname, parts.port or default) == ours


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls of an arm go, and what every request carries. Shared by all its users."""

    url: str
    """With the server's own name."""
    origin: Origin
    target: str
    """The request target: path and query."""
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    personal: frozenset[str] = frozenset()
    """The names, in lower case, of headers whose value differs by user."""
    before: str = ""
    after: str = ""
    """What surrounds the path of each request: a proxy's absolute form, and Host."""

    @classmethod
    def of(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        tls: Callable[[], ssl.SSLContext] = secured,
        host: str = "",
        proxy: str = "",
        personal: Iterable[str] = (),
    ) -> "Endpoint":
        """Read an endpoint from an address. Raises ValueError on a bad address or header.

        `host` is the server's own name, if the address has another one; `proxy` is the address of a
        proxy, which gets the Proxy-Authorization among the headers; `personal` are the names of
        headers whose values `for_user` adds.
        """
        target = request_target(url)
        given = tuple((headers or {}).items())
        personal = tuple(personal)
        for name in (*(name for name, _ in given), *personal):
            if name.lower() in _OURS:
                hint = ": write `host:` for the arm" if name.lower() == "host" else ""
                raise ValueError(f"the header {name!r} is always set by mcp-perf{hint}")
        encode_headers(given)
        origin = Origin.of(url, tls=tls, called=host)
        theirs = frozenset(name.lower() for name in personal)
        if origin.called:
            url = f"{origin.scheme}://{origin.called}{target}"
        before, after = "", f" HTTP/1.1\r\nHost: {origin.authority}\r\n"
        if proxy:
            login = "".join(text for name, text in given if name.lower() == _LOGIN)
            given = tuple((name, text) for name, text in given if name.lower() != _LOGIN)
            origin = replace(origin, proxy=Origin.of(proxy), login=login)
            if origin.tls is None:
                before = f"http://{origin.address}"
                after += encode_headers([(_LOGIN, login)] if login else []).decode("latin-1")
            if _LOGIN in theirs or (origin.called and origin.tls is None):
                wrong = "remove host:, the file in http, or the identity in Proxy-Authorization"
                raise ValueError(f"a proxy needs the same address and login for all users: {wrong}")
        return cls(url, origin, target, given, timeout_s, theirs, before, after)

    def for_user(self, headers: Mapping[str, str]) -> "Endpoint":
        """Return the endpoint with one user's own headers. Raises ValueError on a bad one."""
        encode_headers(headers.items())
        return replace(self, headers=(*self.headers, *headers.items()))

    @property
    def own_fields(self) -> bytes:
        own = [(name, value) for name, value in self.headers if name.lower() in self.personal]
        return encode_headers(own)

    def line(self, method: str, target: str) -> bytes:
        return f"{method} {self.before}{target}{self.after}".encode("latin-1")

    def fields(self, headers: list[tuple[str, str]]) -> bytes:
        """Encode the other headers, including who we are; the arm's headers win over them."""
        own = self.personal.union(name.lower() for name, _ in self.headers)
        if not any(name.lower() == "user-agent" for name, _ in headers):
            headers = [("User-Agent", USER_AGENT), *headers]
        kept = [(name, value) for name, value in headers if name.lower() not in own]
        return encode_headers([*kept, *self.headers])


def request_target(url: str) -> str:
    """Return what an address asks its origin for: its path and query."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def with_body(head: bytes, body: bytes) -> bytes:
    """Join a head without its end and a body to a request."""
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


@dataclass(slots=True)
class Redirects:
    """Where an endpoint has moved to: only within its origin, by 307 or 308."""

    endpoint: Endpoint
    target: str = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.endpoint.target

    def follow(self, reader: ResponseReader) -> bool:
        """Take note of a redirect. False if there is none that may be followed."""
        if reader.status not in (307, 308):
            return False
        location = reader.header(b"location").decode("latin-1")
        origin = self.endpoint.origin
        here = f"{origin.scheme}://{origin.authority}{self.target}"
        try:
            moved = urljoin(here, location)
            elsewhere = not origin.same(moved)
            target = request_target(moved)
        except ValueError:  # it is not an address
            return False
        if not location or elsewhere or target == self.target:
            return False
        self.target = target
        return True

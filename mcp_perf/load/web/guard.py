"""The lock on the web page: the page obeys only itself, and browsers that were let in.

Locust lets any site read and use what it serves (`flask_cors`). This lock is WSGI middleware in
front of all of it, so no route, error page or preflight gets around it.
"""

import argparse
import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web.admission import Admission, Answer, Asked

Headers = list[tuple[str, str]]

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
PUBLIC_NAME: Final = "LOCUST_WEB_HOST_DISPLAY_NAME"
# 'unsafe-inline': Locust's page has its data in an inline script, and MUI writes styles.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
PROTECTION: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Not no-referrer: it makes browsers send the page's own forms with `Origin: null`.
    ("Referrer-Policy", "same-origin"),
)


@dataclass(frozen=True)
class Served:
    """The names under which the page is served, as a browser writes them into Host and Origin."""

    address: str
    """Where users open it."""
    hosts: frozenset[str]
    public_origin: str | None = None
    """Where a proxy or a tunnel serves it, if the user names that."""
    any_address_on: int | None = None
    """The port, if the page listens on all addresses. Then any address is accepted, but no other
    name, because a name can be pointed at another address (DNS rebinding)."""

    https_only: bool = False
    """Whether it is served by https, here or by the proxy."""

    def knows(self, host: str) -> bool:
        if host in self.hosts:
            return True
        name, _, port = host.rpartition(":")
        return port == str(self.any_address_on) and _address(name) is not None


@dataclass(frozen=True)
class Guard:
    """WSGI middleware that answers the requests that must not reach the page."""

    app: Callable[..., Iterable[bytes]]
    served: Served
    admission: Admission

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        problem = refusal(environ, self.served)
        foreign = Answer("403 Forbidden", f"{problem}\n", kind="text/plain")
        answer = foreign if problem else self.admission.answer(asked(environ))
        if answer is not None:
            body = answer.text.encode()
            start_response(answer.status, headers_of(answer, body))
            return [body]

        def start(status: str, headers: Headers, *error: Any) -> Any:
            return start_response(status, protected(headers), *error)

        return self.app(environ, start)


def headers_of(answer: Answer, body: bytes) -> Headers:
    """Return the headers of an answer that is sent in place of the page."""
    kind, length = f"{answer.kind}; charset=utf-8", str(len(body))
    own = (("Content-Type", kind), ("Content-Length", length), ("Cache-Control", "no-store"))
    return [*own, *answer.headers, *PROTECTION]


def asked(environ: dict[str, Any]) -> Asked:
    """Return the parts of a WSGI request."""
    return Asked(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        query=environ.get("QUERY_STRING", ""),
        cookies=environ.get("HTTP_COOKIE", ""),
        client=environ.get("REMOTE_ADDR", ""),
        length=environ.get("CONTENT_LENGTH", ""),
        read=environ["wsgi.input"].read,
    )


def refusal(environ: dict[str, Any], served: Served) -> str | None:
    """Say why a request is not obeyed, or None if it comes from the page, its user or no browser.

    Browsers add Sec-Fetch-Site (https and loopback only) and Origin (all but plain GETs), and no
    script can change them (W3C Fetch Metadata; RFC 6454). Other clients send neither.
    """
    host = environ.get("HTTP_HOST", "").lower()
    if not served.knows(host):
        return (
            "This page is not served under this name. Open it at the address that was printed; "
            f"if a proxy or a tunnel serves it elsewhere, set {PUBLIC_NAME} to that address, "
            "such as https://perf.example.org, and start it again."
        )
    site = environ.get("HTTP_SEC_FETCH_SITE", "same-origin")
    typed = site == "none" and environ["REQUEST_METHOD"] in ("GET", "HEAD")
    own = (f"{environ['wsgi.url_scheme']}://{host}", served.public_origin)
    if (site != "same-origin" and not typed) or environ.get("HTTP_ORIGIN", own[0]) not in own:
        return (
            "This request was made by another site, and the page obeys only itself. "
            "To open it, type its address into the browser."
        )
    return None


def protected(headers: Headers) -> Headers:
    """Return an answer's headers without permission for other sites, and with our protection."""
    kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
    given = {name.lower() for name, _ in kept}
    return kept + [pair for pair in PROTECTION if pair[0].lower() not in given]


def require_port(host: str, port: int) -> None:
    """Refuse a port on which the page cannot listen, such as one in use. Raises Refusal."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("" if _is_everywhere(host) else host, port))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        said = f"--web-port {port}: the page cannot be served there ({why}); name another port"
        raise Refusal(said) from error


def served_by(options: argparse.Namespace) -> Served:
    """Read from Locust's options how the page can be reached.

    Raises Refusal if it would be open to other machines without a login, or if the public address
    is not an address.
    """
    host = options.web_host
    if not options.web_login and not is_loopback(host):
        raise Refusal(*_unprotected(host, options.web_port, hasattr(options, "headless")))
    port, scheme = options.web_port, "https" if options.tls_cert and options.tls_key else "http"
    named = f"[{host}]" if ":" in host else host.lower()
    names = {*_LOOPBACK, named}
    hosts = {f"{name}:{port}" for name in names}
    if port == _DEFAULT_PORTS[scheme]:  # browsers leave it out
        hosts |= names
    public = _public(options.web_host_display_name)
    everywhere = _is_everywhere(host)
    origin = public or f"{scheme}://{'localhost' if everywhere else named}:{port}"
    return Served(
        address=f"{origin}{options.web_base_path or ''}/",
        hosts=frozenset(hosts | {public.partition("://")[2]} if public else hosts),
        public_origin=public,
        any_address_on=port if everywhere else None,
        https_only="https" in (scheme, (public or "").partition(":")[0]),
    )


def _unprotected(host: str, port: int, is_locust: bool) -> list[str]:
    where = "on all addresses" if _is_everywhere(host) else f"at {host}"
    without = "; or do without: --headless" if is_locust else ""
    return [
        f"--web-host: the web page would be open to the network {where}, without a login",
        f"leave --web-host out; from elsewhere, open a tunnel: ssh -L {port}:127.0.0.1:{port} HOST",
        f"or add --web-login, with a password in MCP_PERF_WEB_PASSWORD{without}",
    ]


def _public(named: str | None) -> str | None:
    if not named:
        return None
    try:
        url = urlsplit(named)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or "@" in url.netloc:
        raise Refusal(f"{PUBLIC_NAME}: {named!r} is not an address; write https://perf.example.org")
    name = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    shown = port is not None and port != _DEFAULT_PORTS[url.scheme]
    return f"{url.scheme}://{name}:{port}" if shown else f"{url.scheme}://{name}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine has an address; a name other than localhost may be any."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _is_everywhere(host: str) -> bool:
    address = _address(host)
    return host in ("", "*") or (address is not None and address.is_unspecified)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None

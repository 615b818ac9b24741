"""Who may use our pages: whoever opens the address that was printed, or knows the password.

Every user of this machine can reach its ports. So the printed address holds a key, new for each
start, and the browser gets a cookie in exchange. This module depends on no server: any server can
hand it the parts of a request, and it says what to answer.
"""

import hmac
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web.attempts import Attempts

VARIABLE: Final = "MCP_PERF_WEB_PASSWORD"
SHORTEST: Final = 12
LONGEST: Final = 256
"""Characters of the password."""
MOST_BYTES: Final = 4096
"""The most bytes of a login: forms write some characters of a password in twelve bytes."""
_MOST_COOKIES: Final = 100
"""Browsers that are let in at a time; one more, and the first has to come in again."""
_KEY: Final = "key"
LIVE: Final = "/live"
"""Where the live page is, below the base path."""

_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>mcp-perf</title>'
    '<body style="font: 1rem/1.5 sans-serif; max-width: 36rem; margin: 4rem auto">{}\n'
)
_CLOSED: Final = (
    "<p>Open the address printed in the terminal. It holds a key, without which this page "
    "answers nobody."
)
_LOGIN: Final = (
    '<p>{}<form method="post" action="{}/login"><label>Password <input type="password" '
    'name="password" autofocus required></label> <button>Log in</button></form>'
)
_LOGOUT: Final = '<form method="post"><button>Log out</button></form>'

logger = logging.getLogger("mcp-perf")


@dataclass(frozen=True)
class Asked:
    """The parts of a request as they came; empty if it does not have one."""

    method: str
    path: str
    query: str = ""
    cookies: str = ""
    client: str = ""
    """The address that it comes from."""
    length: str = ""
    """The length of its body."""
    read: Callable[[int], bytes] = bytes
    """Returns that many bytes of the body."""


@dataclass(frozen=True)
class Answer:
    """A short page instead of what was asked for."""

    status: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "text/html"


@dataclass(eq=False)
class Admission:
    """Lets browsers in, and recognizes them by their cookie until they log out or we end."""

    cookie: str
    """The cookie's name. It has the port in it, because cookies do not depend on ports."""
    base: str = ""
    """The path below which the page is served, without a slash at its end."""
    password: str = ""
    """Empty if a key in the address lets browsers in."""
    https_only: bool = False
    clock: Callable[[], float] = time.monotonic
    key: str = field(init=False, default="")
    _inside: deque[str] = field(init=False, default_factory=lambda: deque(maxlen=_MOST_COOKIES))
    """The cookies of the browsers that were let in."""

    def __post_init__(self) -> None:
        self._attempts = Attempts(self.clock)
        if not self.password:
            self.key = secrets.token_urlsafe(32)

    def told(self, address: str) -> str:
        """Say how the page at an address is opened; this text gives the key away."""
        if self.password:
            return f"The web page is at {address} and asks for the password in {VARIABLE}.\n"
        whose = "Open this address; whoever has it can use the web page:"
        return f"{whose}\n    {self.opened(address)}\n"

    def opened(self, address: str) -> str:
        """Return what to open; it holds the key if there is one."""
        return f"{address}?{_KEY}={self.key}" if self.key else address

    def allows(self, authorization: str) -> bool:
        """Tell whether a program sends the key."""
        return bool(self.key) and _same(authorization, f"Bearer {self.key}")

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer to a browser that is outside, comes in or leaves; None lets it pass."""
        known = self._known(asked.cookies)
        if self.key and asked.method == "GET" and _same(_field(asked.query, _KEY), self.key):
            return self._enter(asked.path)
        if known and asked.path == f"{self.base}/logout":
            return self._leave(asked.method, known)
        if known:
            return None
        if self.password and (asked.method, asked.path) == ("POST", f"{self.base}/login"):
            return self._login(asked)
        return self._closed()

    def _known(self, cookies: str) -> str:
        """Return the cookie of a request if it came from us, or else an empty text."""
        named = (part.strip().partition("=") for part in cookies.split(";"))
        given = next((value for name, _, value in named if name == self.cookie), "")
        return next((known for known in self._inside if _same(given, known)), "")

    def _enter(self, path: str = "") -> Answer:
        value = secrets.token_urlsafe(32)
        self._inside.append(value)
        # No other path, because //host/ would lead elsewhere.
        to = path if path == f"{self.base}{LIVE}" else f"{self.base}/"
        return Answer("303 See Other", "", (("Location", to), self._set_cookie(value)))

    def _leave(self, method: str, known: str) -> Answer:
        if method != "POST":
            return Answer("200 OK", _PAGE.format(_LOGOUT))
        self._inside.remove(known)
        gone = self._set_cookie("", "; Max-Age=0")
        return Answer("200 OK", _PAGE.format("<p>You are logged out."), (gone,))

    def _login(self, asked: Asked) -> Answer:
        if not asked.length.isdecimal() or len(asked.length) > 4 or int(asked.length) > MOST_BYTES:
            return self._closed("413 Content Too Large", "This is longer than any password.")
        body = asked.read(int(asked.length)).decode("utf-8", "surrogateescape")
        # From here on, no other request is handled until the attempt is counted.
        wait_s = math.ceil(self._attempts.wait_s(asked.client))
        if wait_s:
            said = f"There were too many wrong passwords. Try again in {wait_s} s."
            again = ("Retry-After", str(wait_s))
            return self._closed("429 Too Many Requests", said, again)
        if _same(_field(body, "password"), self.password):
            self._attempts.right(asked.client)
            return self._enter()
        self._attempts.wrong(asked.client)
        logger.warning("a wrong password for the web page, from %s", asked.client)
        return self._closed(said="This is not the password.")

    def _closed(
        self, status: str = "403 Forbidden", said: str = "", *headers: tuple[str, str]
    ) -> Answer:
        shown = _LOGIN.format(said, self.base) if self.password else _CLOSED
        return Answer(status, _PAGE.format(shown), headers)

    def _set_cookie(self, value: str, more: str = "") -> tuple[str, str]:
        """Set a cookie that no script reads and no other site sends, until the browser ends."""
        kept = f"; Path={self.base or '/'}; HttpOnly; SameSite=Strict"
        secure = "; Secure" if self.https_only else ""
        return "Set-Cookie", f"{self.cookie}={value}{kept}{secure}{more}"


def password(found: str) -> str:
    """Return the page's password. Raises Refusal if it is not set, too short or too long."""
    if SHORTEST <= len(found) <= LONGEST:
        return found
    what = f"has {len(found)} characters" if found else "is not set"
    made = "python -c 'import secrets; print(secrets.token_urlsafe())' prints"
    raise Refusal(
        f"--web-login: {VARIABLE} {what}; set it to {SHORTEST} to {LONGEST}, such as {made}"
    )


def _field(form: str, name: str) -> str:
    """Return what a form or a query has under a name."""
    try:
        found = parse_qs(form, errors="surrogateescape", max_num_fields=10)
    except ValueError:
        return ""
    return found.get(name, [""])[0]


def _same(given: str, expected: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    raw = (text.encode("utf-8", "surrogateescape") for text in (given, expected))
    return hmac.compare_digest(*raw)

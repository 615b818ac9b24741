"""The redactor: no secret gets into the journal, and so none gets into any report."""

import base64
import bisect
import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final
from urllib.parse import quote, quote_plus

from mcp_perf.results.document.text import changed

REDACTED: Final = "[redacted]"
SHORTEST: Final = 4
"""Shorter secrets are left alone: replacing every `ok` or `42` would garble the report, and the
gaps would give the secret away."""

WORD: Final = 8
"""A shorter line of a secret, or id of a session, may well be an ordinary word."""
_MOST_PASSING: Final = 10_000
_CUT: Final = "…"
"""The end of a message that was too long."""
_LINE_END: Final = re.compile(r"[\r\n]+|\\[rn]")
_SCHEME: Final = re.compile(r"(?:bearer|basic|token|apikey|key)\s+(?=\S)", re.IGNORECASE)
"""The part of a header before its secret (RFC 9110, section 11.1), not secret itself."""
_NAMES: Final = (
    r"(?:(?:access|refresh|id|auth|session)[_-]?token|token|api[_-]?key|client[_-]?secret|secret"
    r"|password|passwd|pwd)"
)
_NAME_HINTS: Final = ("token", "key", "secret", "passw", "pwd", "sig")
_QUERY: Final = (
    r"(?:[\w.-]{0,40}?(?:token|key|secret|passwd|password|pwd|jwt|signature|credentials?|session_?id)"
    r"|sig|pass|auth)=|(?:k|code)=(?=[^&\s]{8})"
)
"""Names in the query of an address, with the equals sign after them."""
_SHAPES: Final = tuple(
    (hints, re.compile(pattern, re.IGNORECASE))
    for hints, pattern in (
        # Headers that carry credentials, to the end of the line or text. A lookup such as
        # `${env.TOKEN}` names a secret without giving it away, and stays. The pattern looks for it
        # only nearby, because a search to the end of the line would take quadratic time.
        (
            ("authorization", "api-key", "cookie"),
            (
                r"(\b(?:(?:proxy-)?authorization|(?:x-)?api-key|(?:set-)?cookie)"
                r"\\?[\"']?\s*[:=]\s*+\\?+[\"']?+)(?![^\"'\r\n]{0,200}\$\{)[^\"'\\\r\n]+"
            ),
        ),
        # A bearer token without its header, but not the parameters of a challenge (RFC 6750).
        (("bearer",), r"(\bbearer\s+)(?!\w+=\\?\")[\w.~+/=-]{8,}"),
        # API keys as OpenAI, Anthropic and others write them.
        (("sk-",), r"(\b)sk-[\w-]{8,}"),
        # Query values, form fields and JSON members whose names say that they are secret.
        (_NAME_HINTS, rf"(\b(?:{_NAMES}|key|sig|signature)=)(?!\$\{{)[^&\s\"'#,;]+"),
        (_NAME_HINTS, rf"([\"']{_NAMES}\\?[\"']\s*:\s*\\?[\"'])(?!\$\{{)[^\"'\\]+"),
        (("?", "&"), rf"([?&](?:{_QUERY}))(?!\$\{{)[^&\s\"'#,;)]+"),
        # user:password@ in a URL.
        (("://",), r"(://)[^\s/@:\"']*:[^\s/@\"']+(?=@)"),
    )
)
"""Hints in lower case (a text without any of them cannot match), and the shape of a secret, after
a group that stays."""


class Redactor:
    """Replaces secrets in texts: the secrets that it is given, and whatever looks like one.

    It finds a secret as it is, and as URLs, JSON, HTML, base64 and Python's `repr` write it. It
    also finds each line of a secret with several lines, a secret without the scheme of a header
    before it, and the beginning of a secret that a message cut off (at `…`). Secrets shorter than
    `SHORTEST` are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._passing: dict[str, None] = {}
        self._forms: dict[str, dict[int, set[str]]] = {}
        """First characters -> the forms that begin with them, by their length."""
        self._ordered: dict[str, list[str]] = {}
        """First characters -> those forms in order, as far as they were needed."""
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            for part in () if secret in self._known else set(_parts(secret)) - self._known:
                if len(part) >= SHORTEST:
                    self._known.add(part)
                    for form in _forms(part):
                        self._alike(form).add(form)

    def add_passing(self, secret: str) -> None:
        """Add one of very many secrets, such as the id of a session, in its plain form only.

        It is forgotten after 10 000 others have come.
        """
        if len(secret) < WORD or secret in self._known or secret in self._passing:
            return
        self._passing[secret] = None
        self._alike(secret).add(secret)
        if len(self._passing) > _MOST_PASSING:
            oldest = next(iter(self._passing))
            del self._passing[oldest]
            if oldest not in self._known:
                self._alike(oldest).discard(oldest)

    def _alike(self, form: str) -> set[str]:
        """Return the set of forms that a form belongs to, so that the caller can change it."""
        self._ordered.pop(form[:SHORTEST], None)
        return self._forms.setdefault(form[:SHORTEST], {}).setdefault(len(form), set())

    def text(self, text: str) -> str:
        """Return the text without secrets; the same object if there are none."""
        if self._forms:
            text = self._without_known(text)
        lowered = text.lower()
        for hints, shape in _SHAPES:
            if any(hint in lowered for hint in hints):
                text = shape.sub(rf"\1{REDACTED}", text)
        return text

    def _without_known(self, text: str) -> str:
        """Replace known secrets in one pass, however many there are, by an index, not a pattern."""
        forms = self._forms
        kept: list[str] = []
        done = at = 0
        last = len(text) - SHORTEST
        while at <= last:
            alike = forms.get(text[at : at + SHORTEST])
            length = 0 if alike is None else self._length(text, at, alike)
            if length:
                kept += text[done:at], REDACTED
                done = at = at + length
            else:
                at += 1
        return "".join((*kept, text[done:])) if kept else text

    def _length(self, text: str, at: int, alike: dict[int, set[str]]) -> int:
        """Return the length of the secret that begins at an index of a text; 0 if there is none.

        The longest counts: a secret that begins with another one must be replaced as a whole.
        """
        lengths = sorted(alike, reverse=True)
        for length in lengths:
            if text[at : at + length] in alike[length]:
                return length
        cut = text.find(_CUT, at, at + lengths[0])
        if cut < at + SHORTEST:
            return 0
        said, first = text[at:cut], text[at : at + SHORTEST]
        if first not in self._ordered:
            self._ordered[first] = sorted(form for forms in alike.values() for form in forms)
        ordered = self._ordered[first]
        after = bisect.bisect_left(ordered, said)
        return cut - at if after < len(ordered) and ordered[after].startswith(said) else 0

    def everywhere(self, value: Any) -> Any:
        return changed(value, self.text)


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret and the parts of it that are secret, too."""
    yield secret
    yield " ".join(secret.split())
    lines = [line.strip() for line in _LINE_END.split(secret)]
    yield from (line for line in lines if len(line) >= WORD or line == secret.strip())
    bare = _SCHEME.sub("", secret.strip(), count=1)
    yield bare
    try:
        pair = base64.b64decode(bare, validate=True).decode()
    except ValueError:
        return
    name, colon, password = pair.partition(":")
    if name and colon and pair.isprintable():  # HTTP Basic (RFC 7617)
        yield pair
        yield password


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield escape(secret)
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)
    for ascii_only in (True, False):
        written = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield written
        yield written.replace("/", "\\/")
    yield repr(secret)[1:-1]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret.encode()).decode().rstrip("=")
        # Within something longer, such as `user:secret`, it has one of three alignments.
        for before in range(3):
            packed = encode(bytes(before) + secret.encode()).decode()
            yield packed[-(-before * 8 // 6) : (before + len(secret.encode())) * 8 // 6]

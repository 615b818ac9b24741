"""The redactor: no secret passes the journal's mouth, and so none gets into any report."""

import base64
import bisect
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

REDACTED: Final = "[redacted]"
SHORTEST: Final = 4
"""Shorter secrets are left alone: to replace every `ok` or `42` would garble the report, and the
gaps would tell what the secret is."""

_CUT: Final = "…"
"""Where a message ends that was too long."""
_NAMES: Final = (
    r"(?:(?:access|refresh|id|auth|session)[_-]?token|token|api[_-]?key|client[_-]?secret|secret"
    r"|password|passwd|pwd)"
)
_NAME_HINTS: Final = ("token", "key", "secret", "passw", "pwd", "sig")
_SHAPES: Final = tuple(
    (hints, re.compile(pattern, re.IGNORECASE), replacement)
    for hints, pattern, replacement in (
        # Headers that carry credentials, to the end of the line or text. A lookup such as
        # `${env.TOKEN}` names a secret without giving it away, and stays. It is looked for nearby
        # only: to the end of the line would take a time that grows with the square of its length.
        (
            ("authorization", "api-key", "cookie"),
            (
                r"(\b(?:(?:proxy-)?authorization|(?:x-)?api-key|(?:set-)?cookie)"
                r"\\?[\"']?\s*[:=]\s*+\\?+[\"']?+)(?![^\"'\r\n]{0,200}\$\{)[^\"'\\\r\n]+"
            ),
            rf"\1{REDACTED}",
        ),
        # A bearer token without its header, but not the parameters of a challenge (RFC 6750).
        (("bearer",), r"(\bbearer\s+)(?!\w+=\\?\")[\w.~+/=-]{8,}", rf"\1{REDACTED}"),
        # API keys as OpenAI, Anthropic and others write them.
        (("sk-",), r"\bsk-[\w-]{8,}", REDACTED),
        # Query values, form fields and JSON members whose names say that they are secret.
        (
            _NAME_HINTS,
            rf"(\b(?:{_NAMES}|key|sig|signature)=)(?!\$\{{)[^&\s\"'#,;]+",
            rf"\1{REDACTED}",
        ),
        (
            _NAME_HINTS,
            rf"([\"']{_NAMES}\\?[\"']\s*:\s*\\?[\"'])(?!\$\{{)[^\"'\\]+",
            rf"\1{REDACTED}",
        ),
        # user:password@ in a URL.
        (("://",), r"(://)[^\s/@:\"']*:[^\s/@\"']+(?=@)", rf"\1{REDACTED}"),
    )
)
"""Hints in lower case (without one of them the shape cannot be there), the shape, what is left."""


class Redactor:
    """Replaces secrets in texts: those it is given, and what looks like one.

    A secret is found as it is, and as URLs, JSON, base64 and Python's `repr` write it; of one that
    a message cut off (at `…`) the beginning is found. Those shorter than `SHORTEST` are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: dict[str, list[str]] = {}
        """First characters -> the forms that begin with them, the longest first."""
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            if len(secret) < SHORTEST or secret in self._known:
                continue
            self._known.add(secret)
            for form in set(_forms(secret)):
                alike = self._forms.setdefault(form[:SHORTEST], [])
                # The longest first: a secret that begins with another one must go as a whole.
                bisect.insort(alike, form, key=lambda known: -len(known))

    def text(self, text: str) -> str:
        """Return the text without secrets; the very same one when there are none."""
        if self._forms:
            text = self._without_known(text)
        lowered = text.lower()
        for hints, shape, replacement in _SHAPES:
            if any(hint in lowered for hint in hints):
                text = shape.sub(replacement, text)
        return text

    def _without_known(self, text: str) -> str:
        """Go through a text once, however many secrets there are: an index, not a pattern."""
        forms = self._forms
        kept: list[str] = []
        done = at = 0
        last = len(text) - SHORTEST
        while at <= last:
            alike = forms.get(text[at : at + SHORTEST])
            length = 0 if alike is None else _length(text, at, alike)
            if length:
                kept += text[done:at], REDACTED
                done = at = at + length
            else:
                at += 1
        return "".join((*kept, text[done:])) if kept else text

    def everywhere(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.everywhere(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.everywhere(inner) for inner in value]
        return value


def _length(text: str, at: int, alike: list[str]) -> int:
    """Return how long the secret is that begins at an index of a text; 0 where there is none."""
    for form in alike:
        if text.startswith(form, at):
            return len(form)
    cut = text.find(_CUT, at, at + len(alike[0]))
    if cut > 0 and any(form.startswith(text[at:cut]) for form in alike):
        return cut - at
    return 0


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret.encode()).decode().rstrip("=")

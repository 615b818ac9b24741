"""The redactor: no secret passes the journal's mouth, and so none gets into any report."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

REDACTED: Final = "[redacted]"
SHORTEST: Final = 4
"""Shorter secrets are left alone: to replace every `ok` or `42` would garble the report, and the
gaps would tell what the secret is."""

_NAMES: Final = (
    r"(?:(?:access|refresh|id|auth|session)[_-]?token|token|api[_-]?key|client[_-]?secret|secret"
    r"|password|passwd|pwd)"
)
_NAME_HINTS: Final = ("token", "key", "secret", "passw", "pwd", "sig")
_SHAPES: Final = tuple(
    (hints, re.compile(pattern, re.IGNORECASE), replacement)
    for hints, pattern, replacement in (
        # Headers that carry credentials, to the end of the line or text. A lookup such as
        # `${env.TOKEN}` names a secret without giving it away, and stays.
        (
            ("authorization", "api-key", "cookie"),
            (
                r"(\b(?:(?:proxy-)?authorization|(?:x-)?api-key|(?:set-)?cookie)"
                r"\\?[\"']?\s*[:=]\s*+\\?+[\"']?+)(?![^\"'\r\n]*\$\{)[^\"'\\\r\n]+"
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

    A secret is found as it is, and as URLs, JSON, base64 and Python's `repr` write it. Those
    shorter than `SHORTEST` are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: a secret that begins with another one must go as a whole.
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """Return the text without secrets; the very same one when there are none."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        lowered = text.lower()
        for hints, shape, replacement in _SHAPES:
            if any(hint in lowered for hint in hints):
                text = shape.sub(replacement, text)
        return text

    def everywhere(self, value: Any) -> Any:
        """Return a JSON value with every text in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.everywhere(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.everywhere(inner) for inner in value]
        return value


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may be written."""
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(secret.encode()).decode().rstrip("=")

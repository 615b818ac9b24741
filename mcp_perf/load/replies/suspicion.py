"""Results that say isError: false, yet look like failures. Pure: JSON in, a word out."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from mcp_perf.client.reply import UNREADABLE

Suspicion = Literal["", "error", "empty"]

_LONGEST: Final = 400
"""How many characters of a text are looked at: failures say so at the beginning."""
_NOTHING: Final = frozenset(("", "null", "none", "undefined", "{}", "[]", '""'))
_NONE: Final = r"(?!s?\s*[:=]?\s*(?:0\b|none\b|null\b|false\b))"
"""`Errors: 0` and `error: null` are good news."""
_LEAD: Final = (
    r"[\W_]*(?:(?:sorry|oops|whoops)\W+(?:but )?)?(?:there (?:was|were) )?(?:(?:an?|the|i|we) )?"
    r"(?:(?:unexpected|internal|fatal|unknown|critical|server|network|api|mcp|tool|http) )*"
)
_BEGINNINGS: Final = (
    rf"error\b{_NONE}(?!\s+(?:codes?|logs?|rates?|messages?|handling|types?|reports?)\b)",
    rf"[\w.]+(?:error|exception)\b{_NONE}\s*[:(]",
    rf"(?:exception|failure)\b{_NONE}",
    r"traceback \(most recent call last\)",
    rf"failed\b{_NONE}\s*(?:[:.!]|to\b|with\b|while\b|$)",
    r"(?:[\w-]+ ){1,4}(?:has |have )?failed\s*(?:[:.!]|with\b|after\b|because\b|$)",
    r"(?:unable|not able) to\b|(?:could|can|was|were) ?not\b|(?:could|ca|was|were)n['\u2019]t\b",
    r"something went wrong|(?:access|permission) denied|connection (?:refused|reset|timed out)",
    r"un(?:authori[sz]ed|authenticated)\b|not authori[sz]ed|forbidden\b|too many requests",
    r"rate[ -]limit(?:ed|\s+(?:exceeded|reached))|quota exceeded",
    r"invalid (?:api key|token|credentials?|arguments?|request|parameters?|input)\b",
    r"(?:[\w-]+ ){0,3}timed? ?out\b|internal server error|bad (?:gateway|request)\b",
    r"service unavailable|gateway timeout",
    r"(?:http(?:/[\d.]+)?|status(?: code)?)\W{0,3}[45]\d\d\b",
    r"[45]\d\d (?:bad|unauthori[sz]ed|forbidden|not found|too many|internal|service|gateway)",
)
_BEGINNING: Final = re.compile(rf"{_LEAD}(?:{'|'.join(_BEGINNINGS)})")
_HINTS: Final = (
    *("error", "fail", "exception", "traceback", "not", "n't", "n\u2019t", "unable", "wrong"),
    *("denied", "connection", "auth", "forbidden", "too many", "limit", "quota", "invalid"),
    *("time", "internal", "gateway", "bad ", "unavailable", "http", "status", "service"),
)
"""Without one of these no beginning can match, and looking for them is ten times faster."""
_SIGNS: Final = ("❌", "🚫", "⛔", "🛑", "✗", "✘")
_FAILED: Final = frozenset(("error", "errored", "fail", "failed", "failure", "exception"))
_FLAGS: Final = ("success", "ok", "succeeded", "is_success", "isSuccess")
_MARKS: Final = ("isError", "is_error", "hasError", "has_error")


def suspicion(result: Mapping[str, Any]) -> Suspicion:
    """Say what a tool's result looks like if it does not look like a good answer."""
    structured = result.get("structuredContent")
    texts = _texts(result.get("content"))
    if (isinstance(structured, Mapping) and says_failed(structured)) or any(
        text_failed(text) for text in texts or ()
    ):
        return "error"
    told = structured not in (None, {}, []) and _wrapped(structured) not in (None, {}, [], "")
    wordless = texts is not None and all(text.strip().lower() in _NOTHING for text in texts)
    return "empty" if wordless and not told else ""


def _texts(content: Any) -> list[str] | None:
    """Return the texts of a content; None if it has other blocks than texts."""
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    words = [text for text in texts if isinstance(text, str)]
    return words if len(words) == len(texts) else None


def _wrapped(structured: Any) -> Any:
    """Return the value in `{"result": …}`, in which SDKs wrap values other than objects."""
    if isinstance(structured, Mapping) and structured.keys() == {"result"}:
        return structured["result"]
    return structured


def text_failed(text: str) -> bool:
    """Tell whether a text begins like an error, or is JSON that says so."""
    head = text.lstrip()
    if head.startswith("{"):
        try:
            told = msgspec.json.decode(head)
        except UNREADABLE:
            return False
        return isinstance(told, dict) and says_failed(told)
    beginning = head[:_LONGEST].lower()
    if not any(hint in beginning for hint in _HINTS):
        return head.startswith(_SIGNS)
    return head.startswith(_SIGNS) or _BEGINNING.match(beginning) is not None


def says_failed(told: Mapping[str, Any]) -> bool:
    """Tell whether the members of an object say that something failed."""
    if any(told.get(name) is False for name in _FLAGS):
        return True
    if any(told.get(name) is True for name in _MARKS):
        return True
    status = told.get("status")
    if isinstance(status, str) and status.lower() in _FAILED:
        return True
    error = told.get("error", told.get("errors"))
    return error not in (None, False, 0, "", [], {}, "none", "None")

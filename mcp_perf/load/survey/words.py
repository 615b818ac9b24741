"""What an argument of a name, a description or a format usually looks like: lists, as data."""

import re
from typing import Final

FORMATS: Final = {
    "date-time": "2026-01-15T12:30:00Z",
    "date": "2026-01-15",
    "time": "12:30:00Z",
    "duration": "PT15M",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/example",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "json-pointer": "/example",
    "byte": "aGVsbG8=",
}
_NAMES: Final = (
    (r"e?mail", FORMATS["email"]),
    (r"time_?zone|tz", "UTC"),
    (r"date_?time|timestamp|\w+ed_at", FORMATS["date-time"]),
    (r"date|day|since|until", FORMATS["date"]),
    (r"time", "12:30"),
    (r"ur[li]|link|href|website|endpoint", FORMATS["url"]),
    (r"host|hostname|domain", FORMATS["hostname"]),
    (r"ip|ip_?address", FORMATS["ipv4"]),
    (r"phone|tel|mobile", "+12025550123"),
    (r"uuid|guid", FORMATS["uuid"]),
    (r"paths?|dir|directory|folder|cwd|root|repo|repository", "."),
    (r"file|filename", "example.txt"),
    (r"base64|blob", FORMATS["byte"]),
    (r"query|search|q|terms?|keywords?|topic|subject|filter", "test"),
    (r"expression|formula|equation", "1 + 1"),
    (r"sql", "SELECT 1"),
    (r"json", "{}"),
    (r"lang|language|locale", "en"),
    (r"country", "US"),
    (r"currency|symbol", "USD"),
    (r"city|location|address|destination|origin", "London"),
    (r"colou?r", "#336699"),
    (r"branch|revision|ref|commit|target", "HEAD"),
    (r"version", "1.0.0"),
    (r"ids?|key|code|number|index", "1"),
    (r"user|username|author|owner|person|firstname|lastname", "alice"),
    (r"message|text|content|body|prompt|question|input|comment|note", "hello"),
    (r"lat|latitude", 51.5),
    (r"lon|lng|longitude", -0.12),
    (r"year", 2026),
    (r"month|hour|page", 1),
    (r"port", 8080),
    (r"limit|count|size|top|max|results", 5),
    (r"offset|skip|start|cursor|delay|duration|timeout|seconds", 1),
)
"""Last words of names, what fits first."""
_SAID: Final = (
    (r"YYYY-MM-DDTHH|ISO.?8601 (?:date.?time|timestamp)", FORMATS["date-time"]),
    (r"YYYY-MM-DD", FORMATS["date"]),
    (r"HH:MM:SS", "12:30:00"),
    (r"HH:MM", "12:30"),
)
_EXAMPLE: Final = re.compile(
    r"(?:e\.g\.|for example|for instance|such as|example)[,:]?\s*"
    r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|`([^`\n]{1,200})`)",
    re.IGNORECASE,
)
_ANY: Final = ("example", "hello", "sample", "alpha")
_UNIQUE: Final = ("name", "title", "id", "key", "slug", "label", "username", "filename")
_MAKES: Final = (
    *("add", "append", "book", "create", "generate", "insert", "make", "new", "order", "post"),
    *("put", "register", "save", "store", "submit", "upload", "write"),
)


def split(name: str) -> list[str]:
    """Split `snake_case`, `kebab-case` and `camelCase` into their words, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def texts(name: str, description: str) -> list[str]:
    """Return what a text of this name may be, the most plausible first."""
    found = ["".join(match) for match in _EXAMPLE.findall(description)]
    found += [text for said, text in _SAID if re.search(said, description, re.IGNORECASE)]
    return [*found, *(value for value in _named(name) if isinstance(value, str)), *_ANY]


def number(name: str) -> float | None:
    """Return what a number of this name may be; None where the name does not tell."""
    return next((value for value in _named(name) if not isinstance(value, str)), None)


def is_unique(tool: str, name: str) -> bool:
    """Tell whether a tool makes something that may exist only once by this argument."""
    verb, last = ["", *split(tool)][:2][-1], ["", *split(name)][-1]
    return verb in _MAKES and last in _UNIQUE


def _named(name: str) -> list[str | float]:
    whole = "_".join(split(name))
    return [value for names, value in _NAMES if re.fullmatch(rf"(?:.*_)?(?:{names})", whole)]

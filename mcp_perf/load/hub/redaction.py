"""Redaction of what this process logs or says, as the journal's records are redacted.

There is one redactor for the whole process because there is one log. Tracebacks and Locust's own
lines go through it, too.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Final

from mcp_perf.results.document.text import LONGEST, clip, visible
from mcp_perf.results.journal.redact import Redactor

redactor: Final = Redactor()
"""Knows the secrets that this process was started with or has received since, such as tokens."""


def hide(secrets: Iterable[str]) -> None:
    """Redact these from now on, in addition to what looks like a secret."""
    redactor.add(secrets)


def clean(text: str) -> str:
    """Return the text without secrets, and with its control characters escaped."""
    return visible(redactor.text(clip(text, LONGEST)))


class Clean(logging.Formatter):
    """Formats with another formatter, and redacts the result, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return clean(self._inner.format(record))


class CleanStream:
    """A stream to which gevent writes about greenlets that failed."""

    def write(self, text: str) -> None:
        sys.stderr.write(clean(text))

    def flush(self) -> None:
        sys.stderr.flush()

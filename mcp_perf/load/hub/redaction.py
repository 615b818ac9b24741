"""The other mouth: what this process logs or says passes a redactor, as the journal's records do.

One for the whole process, because its log is one: tracebacks and Locust's own lines go through it.
"""

import logging
import sys
from collections.abc import Iterable
from typing import Final

from mcp_perf.results.document.text import LONGEST, clip, visible
from mcp_perf.results.journal.redact import Redactor

redactor: Final = Redactor()
"""Knows what this process has been told, and what it was given on the way, such as tokens."""


def hide(secrets: Iterable[str]) -> None:
    """Take these out of all that is said from now on, besides what looks like a secret."""
    redactor.add(secrets)


def clean(text: str) -> str:
    """Return the text without secrets, and with its control characters shown, not obeyed."""
    return visible(redactor.text(clip(text, LONGEST)))


class Clean(logging.Formatter):
    """Formats as another formatter does, and redacts the result, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return clean(self._inner.format(record))


class CleanStream:
    """Where gevent writes of greenlets that failed."""

    def write(self, text: str) -> None:
        sys.stderr.write(clean(text))

    def flush(self) -> None:
        sys.stderr.flush()

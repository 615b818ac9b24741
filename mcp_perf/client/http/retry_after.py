"""Retry-After: how long a target asks to be left alone (RFC 9110, section 10.2.3)."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime


def retry_after_s(value: bytes, now_s: Callable[[], float] = time.time) -> float:
    """Return the seconds that a header asks for: a number, or a date.

    A date that has passed, no header and what is neither ask for nothing. `now_s` is the time of
    day, because a date is one.
    """
    text = value.decode("latin-1").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s())
    except (ValueError, OverflowError):
        return 0.0

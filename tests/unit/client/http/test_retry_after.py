"""Retry-After, as targets write it."""

import time

import pytest

from mcp_perf.client.http.http1 import retry_after_s

NOW_S = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of the RFC's examples."""


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        (b"", 0.0),
        (b"120", 120.0),
        (b" 2 ", 2.0),
        (b"-1", 0.0),
        (b"1.5", 0.0),
        (b"soon", 0.0),
        (b"Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        (b"Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        (b"9" * 5000, 999_999_999.0),
        (b"\xff\xb2", 0.0),
    ],
)
def test_both_forms_are_read_and_nothing_else(value, expected_s):
    """The forms are seconds, or a date (RFC 9110, section 10.2.3)."""
    assert retry_after_s(value, lambda: NOW_S) == expected_s


@pytest.fixture
def in_new_york(monkeypatch):
    """Move this process to another time zone."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
@pytest.mark.parametrize("date", [b"Sunday, 06-Nov-94 08:49:47 GMT", b"Sun Nov  6 08:49:47 1994"])
def test_a_date_is_gmt_wherever_the_client_is(date):
    """So are the obsolete forms that a recipient has to accept (RFC 9110, section 5.6.7)."""
    assert retry_after_s(date, lambda: NOW_S) == 10.0

"""Retry-After, as targets write it."""

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

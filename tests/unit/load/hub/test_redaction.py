"""What this process says, without secrets and without control sequences for the terminal."""

import logging

from mcp_perf.load.hub.logs import guard
from mcp_perf.load.hub.redaction import clean
from mcp_perf.load.targets.refusal import Refusal


def test_a_servers_words_do_not_steer_the_terminal():
    """Colours, titles and line ends in names and errors are escaped."""
    assert clean("a\x1b[31mb\x1b]0;title\x07\rc\x9b2J") == (
        "a\\x1b[31mb\\x1b]0;title\\x07\\x0dc\\x9b2J"
    )
    assert Refusal("no tool 'oops\x1b[2J'").lines == ["no tool 'oops\\x1b[2J'"]


def test_lines_and_tabs_of_our_own_stay():
    """Tracebacks have both."""
    handler = logging.StreamHandler()
    guard(handler)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "one\n\ttwo\x07", None, None)
    assert handler.format(record) == "one\n\ttwo\\x07"

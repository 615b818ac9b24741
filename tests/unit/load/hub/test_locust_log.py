"""What Locust logs during a run: nothing that a user would not have to read."""

import io
import logging

import pytest

from mcp_perf.load.hub.locust_log import hush, told_by_us


@pytest.fixture
def locust_log():
    """Give Locust's logger of runners, and what a handler of it writes."""
    logger, out = logging.getLogger("locust.runners"), io.StringIO()
    handler = logging.StreamHandler(out)
    logger.addHandler(handler)
    before = list(logger.filters)
    yield logger, handler, out
    logger.removeHandler(handler)
    logger.filters[:] = before


def test_users_that_have_just_ended_are_not_an_error(locust_log):
    """Locust reports them while it stops the others. Hushing twice is the same as once."""
    logger, _, out = locust_log
    hush()
    hush()
    logger.error("While stopping users, we encountered a user that didn't have proper args %s", 1)
    logger.error("something else")
    assert out.getvalue() == "something else\n"
    assert len([one for one in logger.filters if type(one).__name__ == "_Without"]) == 1


def test_what_is_untrue_on_starting_is_not_logged():
    """Locust's address lacks the key, and the run has a limit; everything else stays."""
    hush()
    logger = logging.getLogger("locust.main")
    untrue = (
        "Starting web interface at http://127.0.0.1:8089",
        "No run time limit set, use CTRL+C to interrupt",
    )
    said = (*untrue, "Starting Locust 2.47.0")
    records = [logging.LogRecord(logger.name, logging.INFO, "", 0, text, (), None) for text in said]
    assert [bool(logger.filter(record)) for record in records] == [False, False, True]


def test_what_we_say_ourselves_is_not_said_twice(locust_log):
    """A reason of the verdict says how busy the generator was. Our own lines pass."""
    logger, handler, out = locust_log
    handler.addFilter(told_by_us())
    logger.warning("CPU usage above 90%! This may constrain your throughput")
    logging.getLogger("locust.runners.x").error("CPU usage too high")
    record = logging.LogRecord("mcp-perf", 30, "", 0, "CPU usage of the target", (), None)
    handler.handle(record)
    assert out.getvalue() == "CPU usage of the target\n"

"""What the simulated upstreams counted: summed up over the measured rounds, and reported."""

import pytest

from mcp_perf.results.journal.records import UpstreamUse
from mcp_perf.results.render.words.wording import upstreams
from mcp_perf.results.report.build import build
from tests.support.virtual_run import Round, journal


def use(turn, arm, requests, connections, at_once):
    """Give what was counted in one turn."""
    counts = {"requests": requests, "connections": connections, "max_in_parallel": at_once}
    return UpstreamUse(turn=turn, at_s=0.0, arm=arm, **counts)


def report_with(*records):
    """Report a run of two rounds of 100 journeys per arm; turns 1 and 2 are mcp's."""
    arms = {"control": [Round(), Round()], "mcp": [Round(), Round()]}
    return build(journal(arms, extra=records))


def test_counts_are_per_journey_and_the_most_at_once_is_the_highest_of_the_rounds():
    """600 requests over 30 connections, for 200 journeys; another arm has none."""
    report = report_with(use(1, "mcp", 300, 20, 9), use(2, "mcp", 300, 10, 12))
    found = report.arms["mcp"].upstream
    assert (found.requests, found.connections, found.max_in_parallel) == (600, 30, 12)
    assert found.requests_per_journey == pytest.approx(3.0)
    assert found.connections_per_journey == pytest.approx(0.15)
    assert report.arms["control"].upstream is None
    [told] = upstreams(report)
    assert told.startswith("mcp asked its upstreams 3.00 times a journey, over 0.150 new connect")
    assert told.endswith("at most 12 at once")


def test_a_round_without_its_counts_leaves_the_arm_without_numbers():
    """A part would look like the whole."""
    assert report_with(use(1, "mcp", 300, 20, 9)).arms["mcp"].upstream is None


def test_counts_of_a_turn_that_nobody_began_are_passed_over():
    """The journal of a run that was cut off may hold some."""
    assert report_with(use(99, "mcp", 300, 20, 9)).arms["mcp"].upstream is None

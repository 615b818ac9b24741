"""How many replies are looked at depends on what a look costs; no clock is read."""

import pytest

from mcp_perf.load.replies.cpu_share import FIRST, CpuShare
from tests.support.costs import Costs


def looks(costs, number, share=0.2, one=None):
    """Make calls, and look at replies that are due; return which ones were looked at."""
    one = one or CpuShare(share, lambda: costs.calls, costs.process, costs.thread)
    due = []
    for index in range(number):
        if one.due():
            due.append(index)
            begun_ns = one.begin()
            costs.look()
            if begun_ns:
                one.end(begun_ns)
        costs.call()
    return due


@pytest.mark.parametrize(
    ("look_us", "share", "every"),
    [(1, 0.2, 1), (19, 0.2, 1), (40, 0.2, 3), (100, 0.2, 7), (2000, 0.2, 134), (2, 0.01, 3)],
)
def test_looks_take_their_share_of_the_cpu_and_no_more(look_us, share, every):
    """All replies are looked at while this costs less than the share, otherwise one in some."""
    costs = Costs(look_us=look_us, call_us=100)
    number = 40_000
    due = looks(costs, number, share)
    assert len(due) == pytest.approx(FIRST + number / every, rel=0.15)
    if every > 1:
        beyond = costs.looked_us - FIRST * look_us
        assert beyond <= share * number * costs.call_us * 1.15


def test_the_first_replies_are_looked_at_whatever_it_costs():
    """A schema that does not fit fails at once."""
    costs = Costs(look_us=10_000, call_us=10)
    assert looks(costs, FIRST) == list(range(FIRST))


def test_a_server_that_is_wrong_at_every_nth_call_cannot_hide():
    """The next reply to look at is drawn at random."""
    due = looks(Costs(look_us=160, call_us=100), 40_000)
    later = [index for index in due if index > 1000]
    found = {remainder: sum(index % 8 == remainder for index in later) for remainder in range(8)}
    assert min(found.values()) > 0.8 * len(later) / 8


def test_it_adapts_when_calls_become_dearer():
    """A slow target leaves the time to look at everything again."""
    costs = Costs(look_us=100, call_us=50)
    one = CpuShare(0.2, lambda: costs.calls, costs.process, costs.thread)
    looks(costs, 5000, one=one)
    assert one.every == 14
    costs.call_us = 5000
    looks(costs, 5000, one=one)
    assert one.every == 1


def test_even_the_dearest_looks_are_made_sometimes():
    """At least one reply in a thousand is looked at."""
    costs = Costs(look_us=1_000_000, call_us=1)
    one = CpuShare(0.2, lambda: costs.calls, costs.process, costs.thread)
    looks(costs, 50_000, one=one)
    assert one.every == 1000

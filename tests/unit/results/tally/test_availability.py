"""Availability: each second of a round in which journeys began, or users waited, is one slot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT
from mcp_perf.results.journal.records import Cell, Health, Slice, TurnStarted
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.tally.availability import Availability, availability
from mcp_perf.results.tally.groups import CALL, DROPPED, JOURNEY, SLOT
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.results.tally.turns import RecordedTurn
from mcp_perf.scenario.model.gates import GateError, parse


def cell(kind, name, cls, n):
    """Return a cell with `n` of a kind and class."""
    return Cell(
        arm="mcp",
        kind=kind,
        name=name,
        cls=cls,
        n=n,
        total_ns=n,
        min_ns=1,
        max_ns=1,
        latency=[1, n],
    )


def turn(*slots, seconds=None, at_s=0.0, number=0):
    """Return a turn; a slot gives the number of its journeys by class."""
    length_s = len(slots) if seconds is None else seconds
    found = RecordedTurn(
        TurnStarted(turn=number, arm="mcp", phase="round", round=1, at_s=at_s, planned_s=length_s)
    )
    cells = [
        cell(SLOT, str(second), cls, n)
        for second, classes in enumerate(slots)
        for cls, n in classes.items()
    ]
    health = Health(cpu_s=0, wall_s=length_s)
    found.add(
        Slice(node="local", turn=number, at_s=at_s, seconds=length_s, cells=cells, health=health)
    )
    return found


def test_a_second_is_good_if_99_of_100_journeys_that_began_in_it_ended_ok():
    """98 of 99 are not enough, and one of 100 may fail."""
    found = availability([turn({OK: 99, TIMEOUT: 1}, {OK: 98, TIMEOUT: 1}, {OK: 1})])
    assert found == Availability(slots=3, bad=1, longest_row=1, first_s=1.0, last_s=2.0)
    assert found.share == pytest.approx(2 / 3)


def test_a_dropped_arrival_did_not_end_ok_and_what_we_cut_off_says_nothing():
    """Only what the target did counts."""
    found = availability([turn({OK: 9, DROPPED: 1}, {OK: 9, INTERRUPTED: 5, HARNESS_ERROR: 5})])
    assert (found.slots, found.bad) == (2, 1)


def test_a_second_without_a_beginning_is_as_bad_as_the_one_before():
    """Users who wait for an answer that does not come begin nothing; idle users want nothing."""
    found = availability([turn({OK: 5}, {}, {TIMEOUT: 5}, {}, {}, {OK: 5}, {}, at_s=100.0)])
    assert found == Availability(slots=5, bad=3, longest_row=3, first_s=102.0, last_s=105.0)


def test_a_row_continues_in_the_next_turn_but_idle_beginnings_do_not_count():
    """An outage across the end of a round is one outage; an idle beginning shows nothing."""
    found = availability(
        [turn({OK: 1}, {TIMEOUT: 1}), turn({TIMEOUT: 1}, {OK: 1}, at_s=2.0), turn({}, {OK: 1})]
    )
    assert (found.slots, found.bad, found.longest_row, found.first_s) == (5, 2, 2, 1.0)


def test_a_turn_that_was_cut_short_has_only_the_slots_before_its_end():
    """Seconds that were planned after its end do not count."""
    short = turn({OK: 1}, {TIMEOUT: 1}, seconds=60)
    short.shares["local"].observed_s = 1.5
    assert availability([short]).slots == 2


def test_without_slots_nothing_is_known():
    """A journal of an older version does not have slots."""
    assert availability([turn()]).share is None
    assert Totals([turn()]).value("availability") is None


@given(
    st.lists(st.dictionaries(st.sampled_from([OK, TIMEOUT]), st.integers(1, 9)), max_size=8),
    st.data(),
)
def test_promise_27_no_ok_journey_that_fails_instead_makes_an_arm_more_available(slots, data):
    """Whatever slot it began in, even with idle slots after it."""
    known = [number for number, slot in enumerate(slots) if slot.get(OK)]
    if not known:
        return
    worse = [dict(slot) for slot in slots]
    at = worse[data.draw(st.sampled_from(known))]
    at[OK] -= 1
    at[TIMEOUT] = at.get(TIMEOUT, 0) + 1
    assert availability([turn(*worse)]).share <= availability([turn(*slots)]).share


@pytest.mark.parametrize(
    ("bad", "gate", "verdict"),
    [
        (0, "mcp.availability > 99%", "PASS"),
        (1, "mcp.availability > 99%", "FAIL"),
        (1, "mcp.availability >= 98%", "PASS"),
        (90, "mcp.availability > 99%", "FAIL"),
    ],
)
def test_a_gate_on_availability_is_judged_by_all_seconds(bad, gate, verdict):
    """All seconds are known, so an interval would not be about anything more."""
    slots = [{TIMEOUT: 1}] * bad + [{OK: 9}] * (90 - bad)
    found = turn(*slots)
    cells = [cell(CALL, "echo", OK, 9), cell(JOURNEY, "echo", OK, 9)]
    found.add(
        Slice(
            node="local", turn=0, at_s=0, seconds=0, cells=cells, health=Health(cpu_s=0, wall_s=0)
        )
    )
    totals = Totals([found])
    assert judge(parse(gate), {"mcp": Evidence(totals, {1: totals})}).verdict == verdict


@pytest.mark.parametrize("text", ["mcp.availability > 100%", "mcp.availability >= 120%"])
def test_promise_17_a_bound_that_no_availability_meets_is_refused(text):
    """It is refused before the run."""
    with pytest.raises(GateError):
        parse(text)

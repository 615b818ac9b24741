"""One turn of a search: what makes a rate hold, and what breaks it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mcp_perf.results.journal.records import Health, Slice, TurnEnded, TurnStarted
from mcp_perf.results.judge.search import Range, conclude
from mcp_perf.results.judge.trial import Rules, searched, trials
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.gates import parse
from tests.support.virtual_search import Server, cell, run_record, search

COOL, LATE, HOT = (
    Health(cpu_s=cpu_s, wall_s=3.0, starts=1000, late_starts=late)
    for cpu_s, late in ((0.3, 9), (0.3, 11), (2.8, 0))
)


def judged(records, gates=()):
    """Judge a journal's turns of `mcp`."""
    tally = fold(records)
    return trials(tally, "mcp", Rules.of("mcp", [parse(text) for text in gates], tally.run.limits))


def one_turn(
    ok_ms, *, failed=0, planned=None, dropped=0, health=COOL, late_ms=(), busy_s=3.0, drained_s=0.0
):
    """Give the journal of one turn at 100/s: its journeys, and those that ended in the drain."""
    start = TurnStarted(
        turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=3.0, rate=100.0
    )
    parts = [(ok_ms, 3.0, False), (late_ms, drained_s, True)]
    slices = [
        Slice(
            node="w1",
            turn=0,
            at_s=0,
            seconds=seconds,
            cells=[
                cell("mcp", times, kind=kind, name=kind, cls=cls)
                for kind in ("call", "journey")
                for cls, times in (("ok", list(some)), ("tool_error", [1.0] * failed * (1 - late)))
                if times
            ],
            health=health,
            draining=bool(late),
        )
        for some, seconds, late in parts
    ]
    total = len(ok_ms) + len(late_ms) + failed + dropped if planned is None else planned
    ended = TurnEnded(turn=0, node="w1", users=1, busy_s=busy_s, planned=total, dropped=dropped)
    return [run_record(["mcp"], rate="1k/s"), start, *slices, ended]


@pytest.mark.parametrize(
    ("turn", "gates", "broke_by"),
    [
        ({}, [], ()),
        ({"planned": 315}, [], ()),  # 95 % and a bit
        ({"planned": 317}, [], ("throughput",)),
        ({"dropped": 3}, [], ()),
        ({"dropped": 4}, [], ()),  # our own limit: see below
        ({"dropped": 3}, ["mcp.p95 < 20ms"], ()),
        ({"dropped": 3}, ["mcp.max < 20ms"], ("mcp.max < 20ms",)),  # theirs is not known
        ({"dropped": 50, "planned": 400}, [], ("throughput",)),
        ({"failed": 3}, [], ()),
        ({"failed": 4}, [], ("errors",)),
        ({"failed": 100}, [], ("errors",)),  # they came in time, so the throughput held
        ({"failed": 100}, ["mcp.error_rate < 30%"], ()),  # the gate allows that many
        ({"failed": 100}, ["mcp.success_rate >= 90%"], ("mcp.success_rate >= 90%",)),
        ({}, ["mcp.p95 < 10ms"], ("mcp.p95 < 10ms",)),
        ({}, ["mcp.p95 <= 11ms", "mcp.journey_max < 5ms"], ("mcp.journey_max < 5ms",)),
        ({}, ["mcp.journey[journey].journey_p95 < 20ms"], ()),
        (
            {},
            ["mcp.journey[journey].journey_p95 < 9ms"],
            ("mcp.journey[journey].journey_p95 < 9ms",),
        ),
        ({}, ["mcp.tool[none].p95 < 9ms"], ("mcp.tool[none].p95 < 9ms",)),  # a missing metric
        ({"failed": 4}, ["mcp.journey[journey].success_rate > 50%"], ("errors",)),
        ({}, ["other.p95 < 1ms", "mcp.p95 < 1x other", "mcp.calls > 1k"], ()),  # not conditions
    ],
)
def test_a_rate_holds_when_all_conditions_are_met(turn, gates, broke_by):
    """Gates on times and fractions, throughput, and errors if no gate is about them."""
    [found] = judged(one_turn([10.5] * 300, **turn), gates)
    assert found.trial.broke_by == broke_by
    assert found.trial.rate == 100


def test_a_turn_without_any_answer_broke():
    """Nothing holds by absence: a gate without a measurement is not met."""
    [found] = judged(one_turn([], planned=300, dropped=0), ["mcp.p95 < 10ms"])
    assert found.trial.broke_by == ("mcp.p95 < 10ms", "throughput")


@pytest.mark.parametrize(("health", "late"), [(COOL, False), (LATE, True), (HOT, True)])
def test_a_generator_that_does_not_keep_up_is_reported(health, late):
    """With more than 1 % late starts, or 90 % of a core, the trial is the generator's."""
    [found] = judged(one_turn([10.0] * 300, health=health))
    assert found.trial.generator is late


def test_journeys_in_flight_at_the_bell_are_not_missing():
    """A target of 0.5 s that answers all in time keeps up, although a sixth ends after the bell."""
    [found] = judged(one_turn([500.0] * 250, late_ms=[500.0] * 50, drained_s=0.5))
    assert found.trial.broke_by == ()
    assert found.achieved_per_s == pytest.approx(100)


def test_journeys_that_queue_are_missing():
    """If the last sixth needs two seconds more to finish, the target did not keep up."""
    [found] = judged(one_turn([500.0] * 250, late_ms=[2500.0] * 50, drained_s=2.5))
    assert found.trial.broke_by == ("throughput",)
    assert found.achieved_per_s == pytest.approx(250 / 3)


@pytest.mark.parametrize("broken", [{"busy_s": 1.2}, "unfinished", "warm-up"])
def test_a_turn_that_is_not_a_whole_trial_is_left_out(broken):
    """A turn that a stop cut short, one without an end, and the warm-up are not trials."""
    records = one_turn([10.0] * 300, **(broken if isinstance(broken, dict) else {}))
    if broken == "unfinished":
        records.pop()
    if broken == "warm-up":
        records[1] = TurnStarted(
            turn=0, arm="mcp", phase="warmup", round=0, at_s=0, planned_s=3.0, rate=100.0
        )
    assert judged(records) == []


@pytest.mark.parametrize(
    ("gate", "condition"),
    [
        ("mcp.p95 < 1s", True),
        ("mcp.journey_mean < 1s", True),
        ("mcp.error_rate < 1%", True),
        ("mcp.p95 < 2x control", False),
        ("mcp.throughput >= 5/s", False),
        ("mcp.dropped <= 0", False),
        ("mcp.capacity >= 5/s", False),
    ],
)
def test_gates_on_times_and_fractions_are_conditions(gate, condition):
    """Only they can hold at a single rate, and so at every rate."""
    assert searched(parse(gate)) is condition


def test_the_conditions_are_written_for_people():
    """The arm's own gates come first, then the conditions of every search."""
    gates = [parse("mcp.p95 < 1s"), parse("rest.p95 < 1s")]
    assert Rules.of("mcp", gates, {}).described() == [
        "mcp.p95 < 1s",
        "throughput at least 95 % of the offered rate",
        "errors at most 1 % of the calls",
    ]
    assert len(Rules.of("mcp", [parse("mcp.success_rate > 5%")], {}).described()) == 2


@settings(max_examples=10)
@given(st.floats(0.004, 0.2), st.integers(2, 8), st.integers(0, 99))
def test_the_capacity_of_a_queue_is_found(service_s, slots, seed):
    """Slots / service time, within the 5 % that may be missing, 2 % of edges and 3 % of noise.

    In rounds of 10 s, up to 2 % of the time is service that crosses their edges.
    """
    server = Server(service_s, slots, noise=0.01, rng=random.Random(seed))
    found = judged(search({"mcp": server}, rate="2.5k/s", round="10s"))
    result = conclude(Range.of(2_500.0, 10.0, 60), [one.trial for one in found])
    assert result.outcome == "knee"
    assert 0.9 * server.capacity < result.rate < 1.1 * server.capacity


@pytest.mark.parametrize(
    ("times_ms", "gate", "holds"),
    [
        ([9.0] * 19 + [99.0], "mcp.p95 < 50ms", True),
        ([9.0] * 18 + [99.0] * 2, "mcp.p95 < 50ms", False),
        ([9.0] * 3 + [99.0], "mcp.p95 < 50ms", True),  # the slowest of four is not a p95
        ([9.0] * 2 + [99.0] * 2, "mcp.p95 < 50ms", False),
        ([9.0] * 3 + [99.0], "mcp.journey_p99_9 < 50ms", True),
        ([99.0], "mcp.p95 < 50ms", False),
        ([9.0] * 3 + [99.0], "mcp.max < 50ms", False),
    ],
)
def test_one_slow_call_of_a_few_is_not_a_percentile(times_ms, gate, holds):
    """A percentile that no call can lie beyond leaves out the slowest; other numbers do not."""
    [found] = judged(one_turn(times_ms, planned=len(times_ms)), [gate])
    assert (gate not in found.trial.broke_by) is holds


@pytest.mark.parametrize(("unmeasured", "holds"), [(0, True), (2, False)])
def test_a_rate_does_not_hold_by_unreported_ends(unmeasured, holds):
    """Calls without a known end are slower than the bound, even in trials with few calls."""
    *records, ended = one_turn([9.0] * 4, planned=4)
    cells = [cell("mcp", [8.0] * 2, kind="stop")]
    if unmeasured:
        cells.append(cell("mcp", [1000.0] * unmeasured, kind="stop", cls="timeout"))
    stops = Slice(node="w1", turn=0, at_s=0, seconds=0.0, cells=cells, health=COOL)
    [found] = judged([*records, stops, ended], ["mcp.cancel_stop_p90 < 50ms"])
    assert ("mcp.cancel_stop_p90 < 50ms" not in found.trial.broke_by) is holds


def test_what_a_journey_usually_takes_is_known_from_rates_that_held():
    """A rate that broke does not show it; until one has held, the shortest journey counts."""
    mixed = {"ok_ms": [10.0, *[500.0] * 249], "late_ms": [500.0] * 50, "drained_s": 0.5}
    failing = one_turn([500.0] * 150, failed=150)
    records = [*failing, *_renumbered(one_turn(**mixed)[1:])]
    assert [one.trial.broke_by for one in judged(records)] == [("errors",), ("throughput",)]
    holding = one_turn([500.0] * 300)
    records = [*holding, *_renumbered(one_turn(**mixed)[1:])]
    assert [one.trial.broke_by for one in judged(records)] == [(), ()]


def _renumbered(records):
    """Change the records to the next turn."""
    return [replace(record, turn=1) for record in records]


def test_a_generator_that_works_hard_after_the_bell_kept_up():
    """CPU time in the drain does not count for the trial."""
    records = one_turn([10.0] * 300, late_ms=[10.0])
    busy = Health(cpu_s=30.0, wall_s=30.0)
    hot = [replace(r, health=busy) if getattr(r, "draining", False) else r for r in records]
    assert hot != records
    assert not judged(hot)[0].trial.generator


@pytest.mark.parametrize(("stall_s", "broken"), [(0.5, False), (0.6, True)])
def test_a_generator_that_stood_still_for_long_did_not_keep_up(stall_s, broken):
    """Whenever it did, as in every other run."""
    records = one_turn([10.0] * 300, late_ms=[10.0])
    still = Health(cpu_s=0.3, wall_s=30.0, stalled_s=stall_s, longest_stall_s=stall_s)
    records = [replace(r, health=still) if getattr(r, "draining", False) else r for r in records]
    assert judged(records)[0].trial.generator is broken


def test_how_many_calls_may_fail_is_a_limit_of_the_scenario():
    """Without a gate on errors, it is a condition of a trial."""
    assert (
        Rules.of("mcp", [], {"errors": 0.3}).described()[-1] == "errors at most 30 % of the calls"
    )
    tally = fold(one_turn([10.0] * 300, failed=100))
    for limits, broke_by in (({}, ("errors",)), ({"errors": 0.3}, ())):
        [found] = trials(tally, "mcp", Rules.of("mcp", [], limits))
        assert found.trial.broke_by == broke_by


def test_the_first_trial_waits_for_a_target_that_answers_nothing():
    """It may be just starting; later there are only two probes before each trial."""
    seen = []
    search({"mcp": Server(timeout_s=0.001)}, rate="1k/s", seen=seen)
    phases = "".join(turn.phase[0] for turn in seen)
    assert phases.startswith("wpppprpprpp")
    assert phases.count("r") == 6

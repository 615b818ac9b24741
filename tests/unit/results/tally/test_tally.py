"""Tallies: merged = pooled, rates of nodes add up, no sample is lost or counted twice."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.journal.journal import JournalError
from mcp_perf.results.journal.records import (
    SETUP,
    Health,
    Note,
    RunEnded,
    SampleRecord,
    Slice,
    TurnEnded,
    TurnStarted,
)
from mcp_perf.results.tally.groups import CALL, Group, Tally
from mcp_perf.results.tally.metrics import Evidence, Totals, paired
from mcp_perf.results.tally.tally import RunTally, fold
from mcp_perf.results.tally.turns import RecordedTurn
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, cell, pairs

TIMES = st.lists(st.integers(1, 10**10), min_size=1, max_size=20)


def tallied(*cells) -> Tally:
    """Give the tally of some cells."""
    tally = Tally()
    for one in cells:
        tally.add(one)
    return tally


def numbers(tally: Tally) -> tuple:
    """Give everything that a tally holds."""
    return (
        tally.n,
        tally.total_ns,
        tally.min_ns,
        tally.max_ns,
        tally.service_total_ns,
        tally.bytes_in,
        tally.bytes_out,
        tally.latency.pairs(),
        tally.service.pairs(),
    )


def timed(times: list[int], service: list[int] | None = None):
    """Give a cell of these nanoseconds, with separate service times or without."""
    late = {"service": pairs(service), "service_total_ns": sum(service)} if service else {}
    return cell(
        "mcp",
        [ns / 1e6 for ns in times],
        n=len(times),
        total_ns=sum(times),
        min_ns=min(times),
        max_ns=max(times),
        latency=pairs(times),
        **late,
    )


@given(st.lists(st.tuples(TIMES, st.booleans()), min_size=1, max_size=6), st.integers(0, 6))
def test_tallies_of_slices_merge_to_the_tally_of_all(parts, split):
    """However slices are divided among nodes, merging gives what one node would have counted."""
    cells = [timed(times, [ns // 2 for ns in times] if late else None) for times, late in parts]
    merged = tallied(*cells[:split])
    merged.merge(tallied(*cells[split:]))
    assert numbers(merged) == numbers(tallied(*cells))
    every = [ns for times, _ in parts for ns in times]
    assert (merged.n, merged.total_ns) == (len(every), sum(every))
    assert (merged.min_ns, merged.max_ns) == (min(every), max(every))


@given(st.lists(st.tuples(TIMES, st.booleans()), min_size=1, max_size=6))
def test_service_times_are_latencies_if_nothing_started_late(parts):
    """Cells without separate service times count with their latencies, mixed or not."""
    cells = [timed(times, [ns // 2 for ns in times] if late else None) for times, late in parts]
    service = [ns // 2 if late else ns for times, late in parts for ns in times]
    tally = tallied(*cells)
    assert tally.service.pairs() == pairs(service)
    assert tally.service_total_ns == sum(service)


@given(TIMES)
def test_percentiles_and_curve_stay_within_what_was_measured(times):
    """The middle of a bucket may lie beyond the longest call; the number reported does not."""
    tally = tallied(timed(times))
    low, high = tally.percentiles_ms([0.0, 1.0])
    assert low >= min(times) / 1e6
    assert high <= max(times) / 1e6 == tally.max_ms()
    curve = [ms for _, ms in tally.curve_ms()]
    assert min(times) / 1e6 <= curve[0] <= curve[-1] <= max(times) / 1e6
    assert tally.mean_ms() == pytest.approx(sum(times) / len(times) / 1e6)


def test_an_empty_tally_has_no_numbers():
    """Without measurements the numbers are None, never zero."""
    empty = Tally()
    assert (empty.mean_ms(), empty.max_ms(), empty.percentiles_ms([0.5])) == (None, None, [None])
    assert empty.curve_ms() == []
    empty.merge(Tally())
    assert empty.n == 0


def test_interrupted_and_harness_errors_are_outside_of_the_error_rate():
    """Calls that we cut off or built wrongly say nothing about the target."""
    counts = {"ok": 6, "timeout": 1, "check_failed": 1, "interrupted": 5, "harness_error": 7}
    group = Group((cls, tallied(cell("mcp", [1.0] * n, cls=cls))) for cls, n in counts.items())
    assert (group.ended, group.failed, group.error_rate) == (8, 2, 0.25)
    assert group.classes == counts
    assert group.all.n == 20
    assert Group([]).error_rate is None


def run(arms, **changes) -> RunTally:
    """Fold the journal of a run."""
    return fold(virtual.journal(arms, **changes))


def totals(arms, arm="mcp", **changes) -> Totals:
    """Give the totals of an arm's measured rounds."""
    return Totals(run(arms, **changes).measured(arm))


def test_every_started_call_is_counted_once():
    """The classes add up to the calls, over all rounds."""
    what = Round(ok=7, failed=2, other={"interrupted": 1, "harness_error": 3})
    found = totals({"mcp": [what, what]})
    assert found.calls == sum(found.call.classes.values()) == 26
    assert found.journeys_done == 14
    assert found.call.error_rate == pytest.approx(4 / 18)
    assert found.success_rate == pytest.approx(14 / 18)


def test_throughput_is_journeys_with_every_step_ok_over_busy_time():
    """Goodput: failing fast does not make it higher; calls per second count what ended."""
    found = totals({"mcp": [Round(ok=30, failed=70, busy_s=2.0), Round(ok=90, busy_s=1.0)]})
    assert found.throughput_per_s == pytest.approx(120 / 3)
    assert found.calls_per_s == pytest.approx(190 / 3)


def test_rates_of_nodes_add_up():
    """Two nodes do twice the work of one in the same time."""
    one = totals({"mcp": [Round(ok=50, busy_s=2.0)]})
    two = totals({"mcp": [Round(ok=50, busy_s=2.0)]}, nodes=["w1", "w2"])
    assert two.throughput_per_s == 2 * one.throughput_per_s == 50
    assert two.journeys_done == 100


def test_the_time_of_a_turn_is_that_of_its_mean_user():
    """If busy times of nodes differ, the rate is all work over the mean time of all users."""
    turn = RecordedTurn(TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=1))
    health = Health(cpu_s=0, wall_s=1)
    for node, n, busy_s in (("w1", 10, 1.0), ("w2", 10, 2.0)):
        cells = virtual.cells("mcp", Round(ok=n))
        turn.add(Slice(node=node, turn=0, at_s=0, seconds=1, cells=cells, health=health))
        turn.end(TurnEnded(turn=0, node=node, users=n, busy_s=busy_s, planned=0))
    found = Totals([turn])
    assert found.throughput_per_s == found.per_second(CALL, "tools/call echo") == 20 / 1.5
    assert found.users == 20
    assert turn.seconds == 1.5
    assert found.per_second(CALL, "another") == 0


def test_promise_19_the_rate_of_a_worker_ends_with_it():
    """Two do 100/s each, and one is lost in the fourth of ten rounds: 133/s, no longer 200/s."""
    turns = []
    health = Health(cpu_s=0, wall_s=1)
    for number, of_second in enumerate([100] * 3 + [30] + [0] * 6):
        turn = RecordedTurn(
            TurnStarted(turn=number, arm="mcp", phase="round", round=1, at_s=0, planned_s=1)
        )
        for node, n in (("w1", 100), ("w2", of_second)):
            cells = virtual.cells("mcp", Round(ok=n)) if n else []
            turn.add(Slice(node=node, turn=number, at_s=0, seconds=1, cells=cells, health=health))
            if n == 100:
                turn.end(TurnEnded(turn=number, node=node, users=2, busy_s=1.0, planned=0))
        turns.append(turn)
    assert Totals(turns).throughput_per_s == pytest.approx(133)
    assert Totals(turns).users == pytest.approx(2.6)


def test_busy_time_of_no_length_gives_no_rate():
    """Without any time there is no rate, rather than an infinite one."""
    found = totals({"mcp": [Round(ok=5, busy_s=0.0)]})
    assert (found.throughput_per_s, found.calls_per_s) == (None, None)
    assert (found.users, found.users_in_journeys) == (0, 0)


def test_planned_and_dropped_starts_add_up():
    """Open load: planned starts and dropped ones, over rounds and nodes."""
    found = totals({"mcp": [Round(planned=120, dropped=20)] * 2}, nodes=["w1", "w2"])
    assert (found.planned, found.dropped) == (480, 80)


def test_users_in_journeys_is_throughput_times_journey_time():
    """Ten users who are always inside a journey of 10 ms complete a thousand a second."""
    found = totals({"mcp": [Round(ms=10, ok=1000, busy_s=1.0, users=10)]})
    assert found.users == 10
    assert found.users_in_journeys == pytest.approx(10, rel=0.001)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("throughput", 80.0),
        ("calls_per_s", 100.0),
        ("error_rate", 0.2),
        ("success_rate", 0.8),
        ("calls", 100),
        ("journeys_done", 80),
        ("dropped", 3),
        ("mean", 10.2),
        ("p50", 10.25),
        ("p90", None),
        ("max", None),
        ("journey_mean", 10.2),
        ("journey_p50", 10.25),
        ("journey_max", None),
    ],
)
def test_every_metric_of_the_gates_has_a_value(metric, value):
    """Milliseconds, rates per second, fractions and counts."""
    found = totals({"mcp": [Round(ms=10, ok=80, failed=20, planned=103, dropped=3)]})
    assert found.value(metric) == (None if value is None else pytest.approx(value, rel=0.01))


def test_promise_27_failures_rank_above_everything_that_was_ok():
    """A journey that broke off early does not count as fast, and nor does a failed call."""
    turn = RecordedTurn(TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=1))
    cells = [
        cell("mcp", [100.0] * 10, kind="journey"),
        cell("mcp", [1.0] * 90, kind="journey", cls="tool_error"),
        cell("mcp", [100.0] * 10),
        cell("mcp", [1.0] * 90, cls="tool_error"),
    ]
    health = Health(cpu_s=0, wall_s=1)
    turn.add(Slice(node="w1", turn=0, at_s=0, seconds=1, cells=cells, health=health))
    for metric in ("journey_p50", "p50"):
        assert Totals([turn]).value(metric) is None
        assert Totals([turn]).falls_on_failure(metric)
        assert Totals([turn]).value(metric, first=True) == 0
    assert Totals([turn]).call.ok.percentiles_ms([0.5]) == [pytest.approx(100, rel=0.001)]


def test_rounds_are_paired_by_their_number():
    """A complete run offers all its rounds; one that was cut off, only those both arms finished."""
    arms = {"mcp": [Round(ms=m) for m in (1, 2)], "control": [Round(ms=m) for m in (3, 4, 5)]}
    found = run(arms)
    for complete, lengths in ((True, (2, 3)), (False, (2, 2))):
        evidence = [
            Evidence(
                Totals(found.measured(arm)),
                {turn.started.round: Totals([turn]) for turn in found.measured(arm)},
                complete,
            )
            for arm in ("mcp", "control")
        ]
        assert tuple(map(len, paired("p50", *evidence))) == lengths
    values, bases = paired("mean", *evidence)
    assert values == pytest.approx([1, 2])
    assert bases == pytest.approx([3, 4])


def test_warm_up_is_kept_apart_and_kept():
    """Round 0 is not a measured round, but its turn is kept."""
    records = virtual.turn(0, "mcp", 0, Round(ok=9)) + virtual.turn(1, "mcp", 1, Round(ok=5))
    found = fold([virtual.started(["mcp"]), *records, RunEnded(at_s=4, reason="finished")])
    assert [turn.measured for turn in found.turns_of("mcp")] == [False, True]
    assert Totals(found.measured("mcp")).calls == 5
    assert found.health.nodes["w1"].total.starts == 100
    assert found.complete


def test_setup_is_counted_by_arm_and_class():
    """Opening sessions does not belong to a turn: it is counted, but not in any rate."""
    cells = [cell("mcp", [1.0] * 3), cell("mcp", [1.0] * 2, cls="timeout")]
    health = Health(cpu_s=9, wall_s=1)
    setup = Slice(node="w1", turn=SETUP, at_s=0, seconds=1, cells=cells, health=health)
    found = run({"mcp": [Round(ok=5)]}, extra=[setup])
    assert found.setup == {("mcp", "ok"): 3, ("mcp", "timeout"): 2}
    assert Totals(found.measured("mcp")).calls == 5
    assert found.health.cpu_s == 0.3


def test_a_turn_without_its_end_uses_the_observed_time_and_is_not_finished():
    """After a crash the last round counts with the time observed, and the run is incomplete."""
    records = virtual.turn(0, "mcp", 1, Round(ok=50, busy_s=0.5))[:-1]
    found = fold([virtual.started(["mcp"]), *records])
    [turn] = found.turns_of("mcp")
    assert not turn.finished
    assert turn.seconds == 0.5
    assert Totals([turn]).throughput_per_s == 100
    assert not found.complete
    assert (found.ended, found.last_s) == (None, 0.5)


def test_a_turn_is_finished_when_every_node_that_made_calls_has_drained():
    """One lost node leaves it unfinished; a node without calls does not."""
    start, one, two, end_one, end_two = virtual.turn(0, "mcp", 1, Round(), nodes=["w1", "w2"])
    idle = Slice(
        node="master", turn=0, at_s=0, seconds=1, cells=[], health=Health(cpu_s=0, wall_s=1)
    )
    records = [start, one, two, idle, end_one]
    [turn] = fold([virtual.started(["mcp"]), *records]).turns_of("mcp")
    assert not turn.finished
    [turn] = fold([virtual.started(["mcp"]), *records, end_two]).turns_of("mcp")
    assert turn.finished


def test_a_turn_that_only_began_is_unfinished():
    """A start without anything after it: no time, no calls, no end."""
    start = virtual.turn(0, "mcp", 1, Round())[0]
    [turn] = fold([virtual.started(["mcp"]), start]).turns_of("mcp")
    assert (turn.finished, turn.seconds) == (False, 0)


@pytest.mark.parametrize("reason", ["signal", "stopped", "error"])
def test_only_a_run_that_finished_is_complete(reason):
    """A run that was ended early is incomplete, even if all its rounds drained."""
    assert run({"mcp": [Round()]}).complete
    assert not run({"mcp": [Round()]}, end=reason).complete


def test_slices_of_a_turn_that_never_started_make_the_run_incomplete():
    """They are not assigned to a round by guessing, but counted as stray."""
    health = Health(cpu_s=0, wall_s=1)
    stray = Slice(node="w1", turn=9, at_s=0, seconds=1, cells=[], health=health)
    end = TurnEnded(turn=9, node="w1", users=1, busy_s=1, planned=0)
    found = run({"mcp": [Round()]}, extra=[stray, end])
    assert found.stray_slices == 1
    assert not found.complete


def test_samples_give_the_first_example_that_says_something():
    """One example per arm, step and class: the first with a detail."""
    rest = {"turn": 0, "at_s": 0, "journey": "say", "latency_ns": 1, "service_ns": 1}
    samples = [
        SampleRecord(arm="mcp", step="x", cls="timeout", bytes_in=0, bytes_out=0, detail=d, **rest)
        for d in ("", "first", "second")
    ]
    found = run({"mcp": [Round()]}, extra=[*samples, Note(at_s=1, code="x", text="y")])
    assert found.examples == {("mcp", "x", "timeout"): "first"}
    assert [note.text for note in found.notes] == ["y"]


def test_harness_errors_are_counted_in_calls():
    """A journey that ended by one is not a second one."""
    assert run({"mcp": [Round(other={"harness_error": 3})]}).harness_errors == 3


@pytest.mark.parametrize(
    ("records", "says"),
    [([], "is empty"), ([RunEnded(at_s=0, reason="finished")], "does not begin with the record")],
)
def test_a_journal_must_begin_with_its_run(records, says):
    """An empty or headless journal is refused with a reason."""
    with pytest.raises(JournalError, match=says):
        fold(records)


def test_two_runs_in_one_journal_are_refused():
    """The numbers of two runs are never mixed."""
    with pytest.raises(JournalError, match="two runs"):
        fold([virtual.started(), virtual.started()])


def test_memory_does_not_grow_with_the_calls():
    """A thousand times the calls, with the same spread, take the same memory."""

    def peak(factor: int) -> int:
        records = virtual.journal({"mcp": [Round(ok=200)] * 2})
        for record in records:
            for one in record.cells if isinstance(record, Slice) else ():
                one.latency[1::2] = [n * factor for n in one.latency[1::2]]
        tracemalloc.start()
        found = fold(records)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert found.turns
        return size

    assert peak(1_000_000) < 1.1 * peak(1000)


def test_the_histogram_of_an_arm_is_that_of_all_its_calls():
    """Percentiles over rounds come from one pooled histogram, never from averaged percentiles."""
    found = totals({"mcp": [Round(ms=10, ok=90), Round(ms=100, ok=10)]})
    pooled = Histogram()
    for ms in virtual.spread(10, 90) + virtual.spread(100, 10):
        pooled.record(round(ms * 1e6))
    assert found.value("p95") == pytest.approx(pooled.percentile(0.95) / 1e6)

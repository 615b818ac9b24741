"""Health and timeline: second by second, the worst process shows, and averages hide nothing."""

import pytest

from mcp_perf.results.journal.records import Health, Slice, TurnStarted
from mcp_perf.results.tally.health import GeneratorHealth, GeneratorLimits
from mcp_perf.results.tally.timeline import LATE_S, Timeline
from mcp_perf.results.tally.turns import RecordedTurn
from tests.support.virtual_run import cell, pairs


def slice_of(second: float, health: Health, node: str = "w1", turn: int = 0) -> Slice:
    """Give a slice of one second without calls."""
    return Slice(node=node, turn=turn, at_s=second, seconds=1, cells=[], health=health)


def test_the_hottest_time_in_a_row_is_found_per_arm():
    """Pauses that another arm gives the generator do not hide that this arm saturates it."""
    health = GeneratorHealth(GeneratorLimits(generator_cpu=0.9))
    hot, cool = Health(cpu_s=0.95, wall_s=1), Health(cpu_s=0.1, wall_s=1)
    for second in range(12):
        health.add(slice_of(second, hot if second % 2 else cool), "mcp" if second % 2 else "rest")
    assert (health.nodes["w1"].hottest_s, health.nodes["w1"].hottest_arm) == (6, "mcp")


def test_a_cool_second_ends_the_time_in_a_row():
    """Four hot seconds, a cool one and four hot ones are four in a row, not eight."""
    health = GeneratorHealth()
    for second in range(9):
        health.add(slice_of(second, Health(cpu_s=0.1 if second == 4 else 1, wall_s=1)), "mcp")
    assert health.nodes["w1"].hottest_s == 4


def test_health_is_that_of_the_worst_process():
    """Means over processes would hide the busy one: CPU and lag are the worst, starts the sum."""
    health = GeneratorHealth()
    lags = {"w1": [1_000_000] * 99 + [2_000_000], "w2": [7_000_000]}
    for node, cpu_s in (("w1", 0.8), ("w2", 0.2)):
        state = Health(cpu_s=cpu_s, wall_s=1, lag=pairs(lags[node]), late_starts=2, starts=10)
        health.add(slice_of(0, state, node), "mcp")
    assert health.cpu_percent == 80
    assert health.cpu_s == pytest.approx(1.0)
    assert health.loop_lag_p99_ms == pytest.approx(7, rel=0.001)
    assert health.late_starts == 4
    assert health.nodes["w1"].late == 0.2


def test_health_that_was_not_measured_is_none():
    """No process, or one without a clock, has no numbers."""
    assert (GeneratorHealth().cpu_percent, GeneratorHealth().loop_lag_p99_ms) == (None, None)
    health = GeneratorHealth()
    health.add(slice_of(0, Health(cpu_s=0, wall_s=0)), "mcp")
    assert (health.cpu_percent, health.loop_lag_p99_ms, health.nodes["w1"].late) == (None, None, 0)


def test_limits_come_from_the_run_or_have_their_default():
    """Known names are taken; unknown names belong to a newer version."""
    limits = GeneratorLimits.of({"generator_cpu": 0.5, "colour": 3.0})
    assert limits == GeneratorLimits(generator_cpu=0.5, loop_lag_p99_ms=5.0, late_starts=0.01)


def points(*slices: Slice):
    """Give the timeline of some slices of one turn."""
    timeline = Timeline()
    started = TurnStarted(turn=0, arm="mcp", phase="warmup", round=0, at_s=0, planned_s=99)
    for one in slices:
        timeline.add(one, started)
    return timeline.points()


def test_the_timeline_adds_nodes_of_the_same_second():
    """Two nodes with a slice of the same second make one point with both their rates."""
    cells = [
        cell("mcp", [10.0] * 8),
        cell("mcp", [30.0] * 2, cls="timeout"),
        cell("mcp", [99.0] * 5, cls="interrupted"),
        cell("mcp", [500.0] * 4, kind="journey"),
    ]
    health = Health(cpu_s=0, wall_s=1)
    [point] = points(
        Slice(node="w1", turn=0, at_s=3.2, seconds=0.5, cells=cells, health=health),
        Slice(node="w2", turn=0, at_s=3.1, seconds=1.0, cells=cells, health=health),
    )
    assert (point.at_s, point.arm, point.phase) == (3.1, "mcp", "warmup")
    assert (point.calls_per_s, point.errors_per_s) == (30, 6)
    assert point.p50_ms == pytest.approx(10, rel=0.001)
    assert point.p95_ms == pytest.approx(10, rel=0.001)  # of the ok calls


def test_a_second_without_calls_is_a_point_at_zero():
    """A frozen server shows as a gap in the curve, not as a missing point."""
    [point] = points(slice_of(0, Health(cpu_s=0, wall_s=1)))
    assert (point.calls_per_s, point.p50_ms, point.p95_ms) == (0, None, None)


def test_short_slices_of_one_node_share_their_second():
    """Two halves of a second are one second, not two rates on top of each other."""
    health = Health(cpu_s=0, wall_s=1)
    half = {"node": "w1", "turn": 0, "seconds": 0.5, "health": health}
    [point] = points(
        *(Slice(at_s=at_s, cells=[cell("mcp", [1.0] * 5)], **half) for at_s in (0, 0.5))
    )
    assert point.calls_per_s == 10


@pytest.mark.parametrize("lengths", [(1.0, 1.0, 0.001), (0.001, 1.0, 1.0), (0.3, 1.0, 0.4)])
def test_a_sliver_of_a_turn_is_joined_to_its_neighbour(lengths):
    """One call in the last millisecond is not a rate of 1000 calls a second."""
    health = Health(cpu_s=0, wall_s=1)
    slices = [
        Slice(
            node="w1", turn=0, at_s=at_s, seconds=seconds, cells=[cell("mcp", [1.0])], health=health
        )
        for at_s, seconds in enumerate(lengths)
    ]
    found = points(*slices)
    assert sum(round(one.calls_per_s * one.seconds) for one in found) == 3
    assert sum(one.seconds for one in found) == pytest.approx(sum(lengths))
    assert all(one.seconds > 0.5 and one.calls_per_s <= 2.1 for one in found)
    long_ago = slice_of(500, health)
    assert points(*slices, long_ago)[:-1] == found


def test_a_slice_without_length_gives_no_infinite_rate():
    """Zero seconds have no rate."""
    empty = Slice(node="w1", turn=0, at_s=0, seconds=0, cells=[], health=Health(cpu_s=0, wall_s=0))
    assert points(empty)[0].calls_per_s == 0


def test_old_seconds_are_closed_and_stay_in_order():
    """A long run keeps histograms only for its last minute; late slices open a second point."""
    timeline = Timeline()
    started = TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=99)
    for second in [*range(200), 5]:
        timeline.add(slice_of(second, Health(cpu_s=0, wall_s=1)), started)
    assert len(timeline._open) <= LATE_S + 2
    times = [point.at_s for point in timeline.points()]
    assert times == sorted([*range(200), 5])


def test_a_turn_without_an_end_lasts_as_long_as_its_slices_together():
    """After a crash, two recorded seconds of a turn are two seconds, not only the last one."""
    started = TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=5)
    turn = RecordedTurn(started)
    for second in range(2):
        turn.add(slice_of(second, Health(cpu_s=0.1, wall_s=1)))
    assert turn.seconds == 2

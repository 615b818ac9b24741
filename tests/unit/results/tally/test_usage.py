"""What the target used: exact CPU per turn, bounded memory in mcp-perf, nothing made up."""

import random

import pytest

from mcp_perf.results.journal.records import ResourceSample, TurnStarted
from mcp_perf.results.tally.timeline import MOST_POINTS, ResourceTimeline
from mcp_perf.results.tally.usage import KEPT, TurnUsage, Usage


def sample(at_s, cpu_s, rss=100, turn=0, **numbers):
    """Give a reading."""
    fields = {"threads": 2, "fds": 5, "processes": 1} | numbers
    return ResourceSample(turn=turn, at_s=at_s, arm="mcp", cpu_s=cpu_s, rss_bytes=rss, **fields)


def turn_of(*samples):
    """Give a turn with these readings."""
    usage = TurnUsage()
    for one in samples:
        usage.add(one)
    return usage


def turn(number, phase="round"):
    """Give the start of a turn."""
    return TurnStarted(turn=number, arm="mcp", phase=phase, round=1, at_s=0, planned_s=1)


def test_the_busiest_process_is_known_even_if_it_began_in_a_round():
    """Over all rounds; if nothing is known about processes, nothing is made up."""
    usage = Usage(
        [
            turn_of(
                sample(10, 0, by_process={"1": 5.0, "2": 1.0}),
                sample(20, 9, by_process={"1": 8.0, "2": 3.0, "3": 4.0}),
            ),
            turn_of(sample(30, 9, by_process={"1": 9.0}), sample(40, 9, by_process={"1": 11.0})),
            turn_of(),
        ]
    )
    assert usage.busiest == 5 / 20
    assert Usage([turn_of(sample(0, 1), sample(1, 2)), turn_of()]).busiest is None


def test_cpu_is_that_between_the_first_and_the_last_reading():
    """CPU time before a turn and between two turns does not count."""
    usage = Usage(
        [
            turn_of(sample(10, 50.0), sample(11, 50.4), sample(12, 51.0)),
            turn_of(sample(20, 60.0), sample(22, 63.0)),
        ]
    )
    assert usage.cpu_s == pytest.approx(4.0)
    assert usage.cpu == pytest.approx(1.0)


def test_the_cpu_time_of_a_restarted_counter_is_not_known():
    """A restarted server does not show what it used before, and CPU time is never negative."""
    usage = Usage(
        [turn_of(sample(0, 9.0), sample(1, 0.5)), turn_of(sample(2, 1.0), sample(3, 2.0))]
    )
    assert usage.turns[0].cpu_s is None
    assert usage.cpu_s is None
    assert usage.cpu == pytest.approx(1.0)
    assert usage.unknown("cpu") == 1
    assert usage.unknown("rss") == 0


def test_a_turn_whose_last_reading_failed_has_no_cpu_but_the_highest_memory():
    """Memory is known up to the death of a process in the turn, but not the CPU time."""
    usage = turn_of(
        sample(0, 1.0, 100), sample(1, 2.0, 300), sample(2, None, None, threads=None, fds=None)
    )
    assert usage.cpu_s is None
    assert usage.max_rss == 300
    assert Usage([usage]).end_rss is None


def test_the_highest_and_the_ends():
    """Most threads and descriptors over the turns; memory at the first and the last reading."""
    usage = Usage([turn_of(sample(0, 0, 10, fds=9), sample(1, 1, 70)), turn_of(sample(2, 2, 30))])
    assert (usage.start_rss, usage.end_rss) == (10, 30)
    assert usage.most(lambda one: one.max_rss) == 70
    assert usage.most(lambda one: one.max_fds) == 9
    assert Usage([]).most(lambda one: one.max_fds) is None
    assert not Usage([turn_of()]).sampled


def test_the_median_of_a_long_turn_needs_few_values():
    """An hour in one turn is thinned, and the median hardly moves."""
    rng = random.Random(3)
    readings = [sample(i, i, round(rng.gauss(1e8, 1e6))) for i in range(3600)]
    usage = turn_of(*readings)
    assert len(usage._rss.values) <= KEPT
    assert usage.rss == pytest.approx(1e8, rel=0.005)
    assert usage.middle_s == pytest.approx(3599 / 2)
    ramp = turn_of(*(sample(i, i, i) for i in range(3600)))
    assert ramp.rss == pytest.approx(1800, rel=0.05)


def test_points_over_time_have_the_rate_of_their_stretch():
    """Half a core for a second, and the memory at its end."""
    line = ResourceTimeline()
    line.add(sample(5, 1.0, 10), sample(6, 1.5, 20), turn(1, "warmup"))
    [point] = line.points()
    assert (point.at_s, point.seconds, point.arm, point.phase) == (5, 1, "mcp", "warmup")
    assert (point.cpu, point.rss_bytes) == (0.5, 20)


def test_a_fraction_of_a_second_at_the_end_of_a_turn_is_not_a_point():
    """CPU time in steps of 10 ms over 9 ms would be noise: it goes to the second before."""
    line = ResourceTimeline()
    first, second, end = sample(0, 1.0), sample(1, 1.4), sample(1.009, 1.41)
    line.add(first, second, turn(0))
    line.add(second, end, turn(0))
    [point] = line.points()
    assert point.cpu == pytest.approx(0.41 / 1.009)


def test_a_long_run_has_wider_points_and_loses_neither_cpu_nor_peaks():
    """One turn of a day: a bounded number of points whose CPU adds up and that show the peak."""
    line = ResourceTimeline()
    last = sample(0, 0.0)
    seconds = 86_400
    for i in range(1, seconds + 1):
        now = sample(i, i * 0.25, 999 if i == 5000 else 100)
        line.add(last, now, turn(0))
        last = now
    points = line.points()
    assert len(points) <= MOST_POINTS + 1
    assert sum(point.cpu * point.seconds for point in points) == pytest.approx(seconds * 0.25)
    assert max(point.rss_bytes for point in points) == 999


def test_points_of_different_turns_are_never_merged():
    """However many turns there are, each has a separate point."""
    line = ResourceTimeline()
    for number in range(MOST_POINTS + 500):
        line.add(sample(2 * number, 0.0), sample(2 * number + 1, 0.5), turn(number))
    assert len(line.points()) == MOST_POINTS + 500

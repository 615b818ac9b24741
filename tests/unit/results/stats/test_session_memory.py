"""What one session costs in memory: the mean rise over levels, or one step without an interval."""

import random

import pytest

from mcp_perf.results.stats.leaks import STEP_BYTES
from mcp_perf.results.stats.session_memory import FEWEST_LEVELS, SessionLevel, per_session

MB = 1_000_000
PAGE = 4096


def levels(kib, n=10, step=100, once=0, noise=0.0, seed=1):
    """Give n levels of a process of 30 MB; the first session takes `once` bytes in addition."""
    rng = random.Random(seed)
    return [
        SessionLevel(step * i, round(30 * MB + once + kib * 1024 * step * i + rng.gauss(0, noise)))
        for i in range(1, n + 1)
    ]


def test_the_rise_is_exact_on_a_line():
    """12 KiB a session over ten levels; the interval is what one step of the allocator hides."""
    found = per_session(30 * MB, levels(12))
    half = STEP_BYTES / 900 / 1024
    assert found.kib == pytest.approx(12)
    assert found.ci95 == pytest.approx((12 - half, 12 + half))
    assert (found.levels, found.why_not) == (10, "")


def test_what_a_process_takes_once_is_in_no_rise():
    """Five MB of caches with the first session change nothing; with one step they would."""
    assert per_session(30 * MB, levels(12, once=5 * MB)).kib == pytest.approx(12)
    assert per_session(30 * MB, levels(12, n=1, once=5 * MB)).kib > 60


def test_one_step_is_a_number_without_an_interval():
    """Memory with all sessions open minus memory before, per session; the reason gives advice."""
    found = per_session(30 * MB, [SessionLevel(1000, 30 * MB + 15_360_000)])
    assert (found.kib, found.ci95, found.levels) == (15.0, None, 1)
    assert "from 0 to 1000 sessions" in found.why_not
    assert "shape: ramp" in found.why_not


def test_one_step_from_nowhere_is_no_number():
    """If the memory before is unknown, one reading shows nothing."""
    found = per_session(None, [SessionLevel(1000, 45 * MB)])
    assert (found.kib, found.ci95) == (None, None)
    assert "before" in found.why_not


def test_no_reading_is_no_number():
    """If a target could not be read, its sessions do not cost nothing: the cost is unknown."""
    found = per_session(30 * MB, [])
    assert (found.kib, found.ci95, found.levels) == (None, None, 0)
    assert found.why_not


@pytest.mark.parametrize("n", [2, FEWEST_LEVELS - 1])
def test_few_levels_have_a_number_and_no_interval(n):
    """Below six levels the number is shown; the reason says how many there are and are needed."""
    found = per_session(30 * MB, levels(12, n=n))
    assert found.kib == pytest.approx(12)
    assert found.ci95 is None
    assert f"{n} levels" in found.why_not
    assert str(FEWEST_LEVELS) in found.why_not


def held(of_level, steps, runs=2000):
    """Return how often the interval contains the truth, 12 KiB, without what widens it.

    `of_level` gives the noise of a level, in bytes, from a generator and the step to the level.
    """
    found = 0
    for seed in range(runs):
        rng, sessions, drawn = random.Random(seed), 1, []
        for step in (0, *steps):
            sessions += step
            drawn.append((sessions, of_level(rng, step, drawn)))
        read = [SessionLevel(at, round(30 * MB + 12 * 1024 * at + noise)) for at, noise in drawn]
        low, high = per_session(None, read).ci95
        widened = STEP_BYTES / sum(steps) / 1024
        found += low + widened <= 12 <= high - widened
    return found / runs


def reading(rng, _step, _drawn):
    """Give independent noise of each reading."""
    return rng.gauss(0, 200e3)


def walk(spread):
    """Give noise of what sessions take; each level also has the noise of all earlier levels."""

    def of_level(rng, step, drawn):
        return (drawn[-1][1] if drawn else 0) + rng.gauss(0, spread * 12 * 1024 * step)

    return of_level


EQUAL, UNEQUAL = [100] * 9, [20, 50, 100, 100, 200, 50, 100]


@pytest.mark.parametrize(
    ("of_level", "steps"),
    [
        (reading, EQUAL),
        (reading, EQUAL[:5]),
        (reading, UNEQUAL),
        (walk(0.05), EQUAL),
        (walk(0.2), EQUAL),
        (walk(0.2), EQUAL[:5]),
        (walk(0.2), UNEQUAL),
    ],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(of_level, steps):
    """In at least 94 % of runs, if readings are noisy and if the noise of levels adds up."""
    assert held(of_level, steps) >= 0.94


def test_memory_that_shrinks_is_negative():
    """Nothing is cut off at zero, because noise goes both ways."""
    assert per_session(30 * MB, levels(-1)).kib == pytest.approx(-1)

"""What one session costs in memory: a slope over levels, or one step that has no interval."""

import random

import pytest

from reports.leaks import STEP_BYTES
from reports.session_memory import FEWEST_LEVELS, Level, per_session

MB = 1_000_000
PAGE = 4096


def levels(kib, n=10, step=100, once=0, noise=0.0, seed=1):
    """Give n levels of a process of 30 MB; `once` is taken with the first session, in bytes."""
    rng = random.Random(seed)
    return [
        Level(step * i, round(30 * MB + once + kib * 1024 * step * i + rng.gauss(0, noise)))
        for i in range(1, n + 1)
    ]


def test_the_slope_is_exact_on_a_line():
    """12 KiB a session over ten levels; the interval is what a step of the allocator hides."""
    found = per_session(30 * MB, levels(12))
    half = STEP_BYTES / 900 / 1024
    assert found.kib == pytest.approx(12)
    assert found.ci95 == pytest.approx((12 - half, 12 + half))
    assert (found.levels, found.why_not) == (10, "")


def test_what_a_process_takes_once_is_not_in_the_slope():
    """Five MB of caches with the first session change nothing; in one step they would."""
    assert per_session(30 * MB, levels(12, once=5 * MB)).kib == pytest.approx(12)
    assert per_session(30 * MB, levels(12, n=1, once=5 * MB)).kib > 60


def test_one_step_is_a_number_without_an_interval():
    """Memory with all open less memory before, by the sessions; the reason says what to do."""
    found = per_session(30 * MB, [Level(1000, 30 * MB + 15_360_000)])
    assert (found.kib, found.ci95, found.levels) == (15.0, None, 1)
    assert "from 0 to 1000 sessions" in found.why_not
    assert "shape: ramp" in found.why_not


def test_one_step_from_nowhere_is_no_number():
    """Without the memory before, one reading says nothing."""
    found = per_session(None, [Level(1000, 45 * MB)])
    assert (found.kib, found.ci95) == (None, None)
    assert "before" in found.why_not


def test_no_reading_is_no_number():
    """A target that could not be read is not called free."""
    found = per_session(30 * MB, [])
    assert (found.kib, found.ci95, found.levels) == (None, None, 0)
    assert found.why_not


@pytest.mark.parametrize("n", [2, FEWEST_LEVELS - 1])
def test_few_levels_have_a_slope_and_no_interval(n):
    """Below six levels the number is shown, and how many there are and are needed is said."""
    found = per_session(30 * MB, levels(12, n=n))
    assert found.kib == pytest.approx(12)
    assert found.ci95 is None
    assert f"{n} levels" in found.why_not
    assert str(FEWEST_LEVELS) in found.why_not


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says():
    """Noise of 200 kB at each level: the 95 % interval holds 12 KiB in 94 % of runs or more."""
    found = [per_session(None, levels(12, noise=200e3, seed=seed)).ci95 for seed in range(800)]
    assert sum(low <= 12 <= high for low, high in found) / len(found) >= 0.94


def test_memory_that_shrinks_is_negative():
    """Nothing is cut off at zero: noise has two sides."""
    assert per_session(30 * MB, levels(-1)).kib == pytest.approx(-1)

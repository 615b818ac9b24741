"""Change over rounds: a line if it is slow, a step if it comes at once, and otherwise nothing."""

import math
import random
from collections.abc import Callable

import pytest

from mcp_perf.results.stats.drift import Shift, drift, farthest, step

ROUNDS = 10
NOISE = 0.02


def rounds(rng: random.Random, way: Callable[[int], float], n: int = ROUNDS) -> list[float]:
    """Give the logarithms of rounds that follow `way`, with noise."""
    return [way(at) + rng.gauss(0, NOISE) for at in range(n)]


def shown(found: Callable[[list[float]], Shift], way: Callable[[int], float]) -> float:
    """Return in how many of 300 runs a change is shown."""
    rng = random.Random(7)
    return sum(found(rounds(rng, way)).shown for _ in range(300)) / 300


def test_steady_rounds_rarely_show_a_change():
    """At most one run in twenty shows a drift, or a step."""
    assert shown(drift, lambda _: 0) <= 0.05
    assert shown(step, lambda _: 0) <= 0.05


@pytest.mark.parametrize(
    "way",
    [
        lambda at: math.log(207 - 112 * at / 9),
        lambda at: -math.log(207 - 112 * at / 9),
        lambda at: 0.03 * at,
        lambda at: at**0.8 / 8,
        lambda at: math.log(1 + at) / 2,
    ],
)
def test_what_goes_on_over_all_rounds_is_a_drift(way):
    """Nearly every run shows it, even on a curve, whose bend makes neighbours alike."""
    assert shown(drift, way) >= 0.97


@pytest.mark.parametrize("after", [2, 4, 5, 8])
def test_what_happens_at_once_is_a_step(after):
    """Its place and its size are found."""
    rng = random.Random(after)
    for _ in range(50):
        found = step(rounds(rng, lambda at: 0.3 * (at >= after)))
        assert found.after == after
        assert found.mean == pytest.approx(0.3, abs=0.06)
    assert shown(step, lambda at: 0.3 * (at >= after)) >= 0.85


def test_a_change_is_that_of_the_fitted_rounds():
    """A line rises from the first round to the last; a step is the difference of two means."""
    assert drift([0, 1, 2, 3, 4, 5]) == Shift(pytest.approx(5), pytest.approx(0, abs=1e-9))
    found = step([0, 0, 0, 1, 1, 1])
    assert (found.mean, found.half, found.after, found.shown) == (1, 0, 3, True)


def test_rounds_that_are_the_same_did_not_change():
    """Without a difference, no change is shown."""
    assert not drift([1.0] * 6).shown
    assert not step([1.0] * 6).shown


def test_no_change_is_larger_than_the_farthest():
    """No rounds within the bounds change by more, neither along a line nor at any step."""
    rng = random.Random(3)
    for _ in range(300):
        low = [rng.gauss(0, 1) for _ in range(7)]
        high = [value + rng.random() for value in low]
        within = [rng.uniform(*ends) for ends in zip(low, high, strict=True)]
        most = farthest(low, high)
        assert abs(drift(within).mean) <= most
        assert abs(step(within).mean) <= most
    assert farthest([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1]) == pytest.approx(9 / 7)

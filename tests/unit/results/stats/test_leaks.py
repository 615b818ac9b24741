"""Memory growth: a slope with an interval that keeps its promise, and no claim from thin data."""

import random
from itertools import accumulate

import pytest

from mcp_perf.results.stats.leaks import FEWEST_ROUNDS, SHORTEST_S, STEP_BYTES, growth

MB = 1e6


def an_hour(per_hour: float, noise_mb: float, seed: int, rounds: int = 60):
    """Give one value a minute for a process of 100 MB that grows, plus noise in per cent."""
    rng = random.Random(seed)
    return [
        (60.0 * i, 100 * MB * (1 + per_hour * i / 60) + rng.gauss(0, noise_mb * MB))
        for i in range(rounds)
    ]


def test_the_interval_holds_no_growth_as_often_as_it_says():
    """Noise and no leak: the 95 % interval covers 0 in 94 to 98 % of the runs."""
    found = [growth(an_hour(0, 2, seed)).ci95 for seed in range(1500)]
    assert found.count(None) <= 15  # a fall that could be a sweep
    found = [ci95 for ci95 in found if ci95 is not None]
    covered = sum(low <= 0 <= high for low, high in found) / len(found)
    assert 0.94 <= covered <= 0.98


@pytest.mark.parametrize(("rounds", "least"), [(10, 0.70), (20, 0.77), (60, 0.80)])
def test_memory_that_wanders_is_seldom_taken_for_a_leak(rounds, least):
    """A random walk has no trend; if rounds counted as independent, up to 83 % would show one."""
    found = []
    for seed in range(1000):
        rng = random.Random(seed)
        sizes = accumulate((rng.gauss(0, MB) for _ in range(rounds)), initial=100 * MB)
        found.append(growth([(60.0 * i, size) for i, size in enumerate(sizes)]).ci95)
    covered = sum(ci95 is None or ci95[0] <= 0 <= ci95[1] for ci95 in found) / len(found)
    assert covered >= least


def test_a_leak_of_ten_percent_an_hour_is_found():
    """One hour of rounds, 1 % noise: the whole interval lies above 1 %, around 10 %."""
    for seed in range(50):
        found = growth(an_hour(0.10, 1, seed))
        low, high = found.ci95
        assert 0.01 < low < found.per_hour < high
        assert found.per_hour == pytest.approx(0.10 / 1.05, abs=0.02)  # of the mean, not the start


def test_the_slope_is_that_of_least_squares():
    """On a line it is exact: 1 MB a minute on 103 MB. One step of memory makes the interval."""
    points = [(60.0 * i, (100 + i) * MB) for i in range(7)]
    found = growth(points)
    assert found.per_hour == pytest.approx(60 / 103)
    half = STEP_BYTES / 360 * 3600 / (103 * MB)
    assert found.ci95 == pytest.approx((60 / 103 - half, 60 / 103 + half))
    assert (found.rounds, found.span_s, found.why_not) == (7, 360, "")


def test_memory_that_did_not_move_in_a_short_run_is_no_proof():
    """Two minutes without a rise may only mean that the allocator still had a reserve."""
    low, high = growth([(20.0 * i, 50 * MB) for i in range(7)]).ci95
    assert low == -high
    assert high > 0.05


@pytest.mark.parametrize(
    ("rounds", "step_s"), [(0, 60), (1, 60), (FEWEST_ROUNDS - 1, 60), (FEWEST_ROUNDS, 11), (30, 1)]
)
def test_too_few_rounds_or_too_short_a_time_claim_nothing(rounds, step_s):
    """Without six rounds over a minute there is no interval, and the reason says what to do."""
    found = growth([(step_s * i, 100 * MB + i) for i in range(rounds)])
    assert found.ci95 is None
    assert f"{rounds} round" in found.why_not
    assert "Run longer" in found.why_not


def test_the_shortest_run_that_claims_something():
    """Six rounds over exactly a minute are enough to have an interval."""
    step_s = SHORTEST_S / (FEWEST_ROUNDS - 1)
    assert growth([(step_s * i, 100 * MB) for i in range(FEWEST_ROUNDS)]).ci95 is not None


def saw(rounds: int, tooth: int, leak_mb: float = 0, seed: int = 1) -> list[tuple[float, float]]:
    """Give rounds of memory that rises by 20 MB, is swept away, and leaks some MB a round."""
    rng = random.Random(seed)
    phase = rng.randrange(tooth)
    return [
        (
            10.0 * i,
            (100 + 20 * ((i + phase) % tooth) / tooth + leak_mb * i + rng.gauss(0, 0.5)) * MB,
        )
        for i in range(rounds)
    ]


@pytest.mark.parametrize(("rounds", "tooth"), [(12, 11), (30, 15), (60, 30)])
def test_a_rise_between_two_sweeps_is_not_a_leak(rounds, tooth):
    """A few sweeps show nothing, and the reason says how many are needed."""
    for seed in range(100):
        found = growth(saw(rounds, tooth, seed=seed))
        assert found.ci95 is None
        assert "swept away" in found.why_not
        assert "needs 5 sweeps" in found.why_not
    assert "(one sweep seen)" in growth(saw(12, 11)).why_not


def test_many_sweeps_show_a_leak_by_what_they_leave():
    """16 teeth without a leak rarely show growth, and a leak of 0.3 MB a round always does."""
    steady = [growth(saw(200, 12, seed=seed)).ci95 for seed in range(100)]
    assert sum(low <= 0 <= high for low, high in steady) >= 95
    leaking = [growth(saw(200, 12, 0.3, seed)).ci95 for seed in range(100)]
    assert all(low > 0 for low, _ in leaking)

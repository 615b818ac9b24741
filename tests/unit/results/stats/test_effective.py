"""Rounds that resemble each other count for less, and lines through them allow for that."""

import math
import random

import pytest

from mcp_perf.results.stats.effective import effective, line
from mcp_perf.results.stats.rounds import student_t


def alike(rng: random.Random, n: int, r: float) -> list[float]:
    """Give n values; each one resembles the value before it by r."""
    values = [rng.gauss(0, 1)]
    while len(values) < n:
        values.append(r * values[-1] + rng.gauss(0, math.sqrt(1 - r * r)))
    return values


def test_of_independent_values_nearly_all_count():
    """About 90 in a hundred, because the correction of the bias costs some; never more."""
    rng = random.Random(1)
    counts = [effective(alike(rng, 100, 0)) for _ in range(200)]
    assert 85 < sum(counts) / 200 < 95
    assert max(counts) <= 100


@pytest.mark.parametrize(("r", "share"), [(0.5, 1 / 3), (0.8, 1 / 9)])
def test_of_values_that_resemble_each_other_a_part_counts(r, share):
    """In a long series, (1 - r) / (1 + r) of them count."""
    assert effective(alike(random.Random(2), 20_000, r)) / 20_000 == pytest.approx(share, rel=0.1)


def test_values_on_the_line_all_count():
    """No distances from the line are left, so none can resemble each other."""
    assert effective([0.0] * 5) == 5
    assert line([(x, 2 * x) for x in range(5)]) == (2, 0)


def test_a_slope_and_its_interval_are_those_of_the_book():
    """Least squares and Student's t, if neighbours lie on different sides of the line."""
    points = [*enumerate([1.0, 3.0, 2.0, 4.0, 3.0, 5.0])]
    slope, half = line(points)
    assert slope == pytest.approx(22 / 35)
    left = sum((y - 3 - 22 / 35 * (x - 2.5)) ** 2 for x, y in points)
    assert half == pytest.approx(student_t(4) * math.sqrt(left / 4 / 17.5))


@pytest.mark.parametrize(
    ("r", "rounds", "most"),
    [
        (0, 6, 0.05),
        (0, 30, 0.05),
        (0.5, 10, 0.12),
        (0.5, 60, 0.07),
        (0.7, 20, 0.12),
        (0.7, 60, 0.08),
    ],
)
def test_few_lines_through_noise_show_a_slope(r, rounds, most):
    """If each of 20 rounds counted, 39 % of lines would show one at r = 0.7."""
    rng = random.Random(rounds)
    found = [line([*enumerate(alike(rng, rounds, r))]) for _ in range(1000)]
    assert sum(abs(slope) > half for slope, half in found) / 1000 <= most

"""Trends: runs in lines, which runs stand out, and where they go."""

import math
import random

import pytest
from scipy import stats

from mcp_perf.results.stats.trend import Point, lines
from tests.support.earlier_runs import identity


def point(value, number=0, **changes):
    """Give one run's value."""
    fields = {
        "run_id": f"r{number}",
        "started": f"2026-01-{number + 1:02}T00:00:00Z",
        "scenario": "echo",
        "verdict": "PASS",
        "complete": True,
        "identity": identity(),
        "arm": "mcp",
        "metric": "p95",
        "group": "g",
        "value": value,
        "low": 0.9 * value,
        "high": 1.1 * value,
    }
    return Point(**fields | changes)


def line(values):
    """Give the line of these values."""
    [only] = lines([point(value, number) for number, value in enumerate(values)])
    return only


def test_runs_that_cannot_be_compared_have_separate_lines():
    """Other metrics, arms and scenarios have separate lines, too."""
    points = [point(1), point(2, group="h"), point(3, metric="p50"), point(4, arm="a"), point(5)]
    assert [[mark.point.value for mark in one.marks] for one in lines(points)] == [
        [1, 5], [2], [3], [4],
    ]  # fmt: skip


def test_each_run_is_compared_with_the_runs_before_it():
    """A jump stands out once, and noise does not; the change is the ratio to the run before."""
    rng = random.Random(1)
    values = [10 * rng.lognormvariate(0, 0.01) for _ in range(10)]
    found = line([*values, 12.0]).marks
    assert [mark.stands_out for mark in found] == [False] * 10 + [True]
    assert found[0].change is None
    assert found[-1].change == pytest.approx(12 / values[-1])


def test_too_few_runs_let_none_stand_out():
    """Four runs are not enough to compare with."""
    assert not any(mark.stands_out for mark in line([10, 10.1, 9.9, 10, 20]).marks)
    assert line([10, 10.1, 9.9, 10, 10.05, 20]).marks[-1].stands_out


def test_one_run_in_twenty_stands_out_by_chance():
    """The prediction interval contains 95 % of the runs of a steady target."""
    rng = random.Random(3)
    found = [
        line([10 * rng.lognormvariate(0, 0.03) for _ in range(12)]).marks[-1].stands_out
        for _ in range(1000)
    ]
    assert 0.03 < sum(found) / len(found) < 0.07


def test_the_slope_is_that_of_a_regression_on_logarithms():
    """Ratio and interval match SciPy's if neighbours are no more alike than other runs."""
    values = [10 * 1.02**i * math.exp(0.01 * (-1) ** i) for i in range(12)]
    fit = stats.linregress(range(12), [math.log(value) for value in values])
    half = stats.t.ppf(0.975, 10) * fit.stderr
    found = line(values)
    assert found.slope == pytest.approx(math.exp(fit.slope))
    assert found.slope95 == pytest.approx((math.exp(fit.slope - half), math.exp(fit.slope + half)))


def wandering(rng: random.Random, n: int, alike: float) -> list[float]:
    """Give runs around 10 ms; each one resembles the run before it."""
    logs = [rng.gauss(0, 0.03)]
    while len(logs) < n:
        logs.append(alike * logs[-1] + rng.gauss(0, 0.03 * math.sqrt(1 - alike**2)))
    return [10 * math.exp(log) for log in logs]


@pytest.mark.parametrize(("alike", "most"), [(0, 0.05), (0.5, 0.1), (0.7, 0.12)])
def test_runs_that_resemble_each_other_rarely_show_a_slope(alike, most):
    """If each of 20 runs without a slope counted, 39 % would show one at a likeness of 0.7."""
    rng = random.Random(4)
    found = [line(wandering(rng, 20, alike)).slope95 for _ in range(500)]
    assert sum(not low <= 1 <= high for low, high in found) / 500 <= most


def test_what_is_next_to_nothing_neither_stands_out_nor_is_a_slope():
    """A ten-thousandth more than six equal runs does not count, however equal they are."""
    found = line([100] * 6 + [100.0001])
    assert not any(mark.stands_out for mark in found.marks)
    assert line([100] * 6 + [102]).marks[-1].stands_out
    low, high = line([100 + i / 10_000 for i in range(8)]).slope95
    assert low <= 1 <= high
    low, _ = line([100 + i for i in range(8)]).slope95
    assert low > 1


@pytest.mark.parametrize("values", [[10, 11, 12, 13], [10, 0, 12, 13, 14]])
def test_without_runs_or_with_zeros_there_is_no_slope(values):
    """A zero has no logarithm."""
    assert line(values).slope is None


@pytest.mark.parametrize("unsound", [{"verdict": "INVALID"}, {"complete": False}])
def test_broken_runs_are_shown_and_count_nowhere(unsound):
    """They do not stand out, and the next run is compared with the sound run before them."""
    values = [10, 10.1, 9.9, 10, 10.05]
    points = [point(value, number) for number, value in enumerate(values)]
    broken, after = point(99, 5, **unsound), point(10.05, 6)
    [with_broken] = lines([*points, broken, after])
    [without] = lines([*points, after])
    assert with_broken.marks[5].point.value == 99
    assert (with_broken.marks[5].change, with_broken.marks[5].stands_out) == (None, False)
    assert with_broken.marks[6].change == 1.0
    assert with_broken.slope == without.slope


def test_a_run_that_begins_a_new_level_says_so_with_its_factor():
    """INVALID runs are not evidence, so the mark is on the first sound run."""
    points = [point(100 + number % 3, number) for number in range(10)]
    points += [point(500, 10, verdict="INVALID")]
    points += [point(120 + number % 3, number) for number in range(11, 20)]
    [only] = lines(points)
    levels = {mark.point.run_id: mark.level for mark in only.marks if mark.level is not None}
    assert levels == {"r11": pytest.approx(1.2, rel=0.01)}
    assert all(mark.level is None for mark in line([0.0] * 20).marks)

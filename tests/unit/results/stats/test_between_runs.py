"""Changes between runs: intervals and p-values against published formulas and other software."""

import math

import pytest
from scipy import stats

from mcp_perf.results.stats.rounds import half_width, same
from mcp_perf.results.stats.runs import between_rounds, between_runs, rate_difference


def test_two_samples_of_rounds_are_compared_as_welch_did():
    """The standard errors allow for rounds that resemble each other; p and interval agree."""
    base, new = [0.1, 0.3, 0.2, 0.4, 0.25, 0.1], [0.5, 0.2, 0.6, 0.9, 0.4, 0.7, 0.3]
    squares = [(half_width(logs) / stats.t.ppf(0.975, len(logs) - 1)) ** 2 for logs in (base, new)]
    error = math.sqrt(sum(squares))
    df = sum(squares) ** 2 / (squares[0] ** 2 / 5 + squares[1] ** 2 / 6)
    change = between_rounds(base, new)
    assert change.mean == pytest.approx(sum(new) / 7 - sum(base) / 6)
    assert change.half == pytest.approx(stats.t.ppf(0.975, df) * error)
    assert change.p == pytest.approx(2 * stats.t.sf(change.mean / error, df))
    assert change.needed == pytest.approx(change.half + stats.t.ppf(0.8, df) * error)
    edge = [log - change.mean + change.half for log in new]
    assert between_rounds(base, edge).p == pytest.approx(0.05)


def test_the_guard_assumes_that_runs_differ_as_much_as_rounds_do():
    """Its square is the variance of the mean of the rounds plus that of the rounds."""
    base = [0.0, 0.2, 0.1, 0.3, 0.0, 0.2]
    change = between_rounds(base, [0.5 + log for log in base])
    square = (change.half / stats.t.ppf(0.975, 10)) ** 2 + 2 * stats.tvar(base)
    assert change.guard == pytest.approx(stats.t.ppf(0.975, 10) * math.sqrt(square))


def test_runs_that_differ_widen_the_interval_and_never_narrow_it():
    """The spread between runs counts. If there is none, the spread of the rounds still does."""
    shape = [-0.01, 0.0, 0.01, 0.02]
    new = [0.1 + x for x in shape]
    quiet = [[x + shift for x in shape] for shift in (0.0, 0.001, -0.001)]
    loud = [[x + shift for x in shape] for shift in (0.0, 0.2, -0.2)]
    rounds = between_rounds([x for run in quiet for x in run], new).half
    assert between_runs(quiet, new, 0.0).half >= rounds
    assert between_runs(loud, new, 0.0).half > 5 * between_runs(quiet, new, 0.0).half


def test_the_spread_between_runs_counts_however_many_rounds_they_have():
    """Forty rounds show a lot about their own run, and nothing about the next."""
    shape = [0.001 * (i % 5) for i in range(40)]
    runs = [[x + shift for x in shape] for shift in (0.0, 0.1, -0.1, 0.05)]
    every = [x for run in runs for x in run]
    assert between_runs(runs, shape, 0.0).half > 2 * between_rounds(every, shape).half
    spread = stats.tstd([0.0, 0.1, -0.1, 0.05])
    within = (half_width(shape) / stats.t.ppf(0.975, 39)) ** 2
    square = (3 * spread**2 + 4 * within) / 7
    expected = stats.t.ppf(0.975, 7) * math.sqrt(square * (1 + 1 / 4))
    assert between_runs(runs, shape, 0.0).half == pytest.approx(expected)


def test_few_runs_are_not_trusted_about_their_own_spread():
    """Three runs that agree by chance leave the usual spread in the interval."""
    alike = [[0.0, 0.001, 0.002, 0.003]] * 3
    assert between_runs(alike, alike[0], 0.03).half > 0.05


@pytest.mark.parametrize(
    ("new", "base", "expected"),
    [  # R. G. Newcombe, 1998, table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ],
)
def test_rates_differ_as_newcombe_published(new, base, expected):
    """The interval of a difference of proportions has the published ends."""
    assert rate_difference(base, new) == pytest.approx(expected, abs=5e-5)


def test_equal_rounds_are_the_same():
    """Without noise there is no basis for a judgement."""
    assert same([1.0, 1.0])
    assert not same([1.0, 1.1])

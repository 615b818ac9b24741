"""Student's t and the binomial distribution give the same numbers as SciPy."""

import math

import pytest
from scipy import special

from mcp_perf.results.stats.distributions import (
    beta,
    beta_odds,
    binomial,
    crossing,
    student_above,
    student_tail,
)

DFS = (1, 2, 3, 5, 9, 10, 29, 100, 101, 5000, 2.5, 17.25)
TAILS = (0.4, 0.2, 0.025, 0.0025, 1e-4, 1e-9)


def close(expected: float, rel: float = 1e-9):
    """Accept a number whose relative difference is less than `rel`."""
    return pytest.approx(float(expected), rel=rel, abs=0)


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("t", [0, 1e-3, 0.3, 1, 2.26, 8, 60, 4000])
def test_the_tails_of_students_t(df, t):
    """Above t and above -t, by the sum and by the continued fraction, however far out."""
    assert student_tail(t, df) == close(special.stdtr(df, -t))
    assert student_tail(-t, df) == close(special.stdtr(df, t))


@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("tail", TAILS)
def test_what_students_t_is_above(df, tail):
    """Each tail has its t."""
    assert student_above(tail, df) == close(-special.stdtrit(df, tail))


def test_nothing_is_beyond_all_numbers():
    """A tail too small for a float is 0, even if the square of t overflows."""
    assert student_tail(1e200, 199) == student_tail(1e5, 199) == 0


@pytest.mark.parametrize(("total", "rel"), [(1, 1e-9), (40, 1e-9), (20_000, 1e-9), (10**6, 1e-8)])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_how_many_of_a_total(total, rel, share):
    """The probability of at most that many, from the unlikely to the nearly certain."""
    usual, spread = total * share, math.sqrt(total * share * (1 - share))
    for away in range(-6, 7):
        most = round(usual + away * spread)
        if 0 <= most < total:
            assert binomial(most, total, share) == close(special.bdtr(most, total, share), rel)


@pytest.mark.parametrize(
    ("a", "b"), [(1, 500), (3, 7), (0.2, 9), (498.5, 2), (1e5, 3e5), (2, 1e6), (9e5, 1)]
)
@pytest.mark.parametrize("share", [0.025, 0.5, 0.975])
def test_where_the_beta_distribution_is_below(a, b, share):
    """Also close to 0 and to 1, because odds keep their digits there."""
    odds = beta_odds(a, b, share)
    assert odds / (1 + odds) == close(special.betaincinv(a, b, share), 2e-9)
    assert beta(a, b, odds / (1 + odds), 1 / (1 + odds)) == close(share, 1e-7)


def test_odds_too_small_for_a_float_are_zero():
    """A thousandth of a failure shows nothing about how few there are."""
    assert beta_odds(1e-3, 10, 0.025) == 0


def test_a_crossing_is_found_from_either_side_and_from_itself():
    """However far away the start is."""
    for start in (1e-9, 3.0, 1e9):
        assert crossing(lambda x: 3 - x, start) == close(3, 1e-12)

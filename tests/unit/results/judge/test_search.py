"""The search for the capacity as a pure function: tables, and laws on servers that are a line."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.results.judge.search import NARROW, REPEATS, Range, Result, Trial, conclude, next_rate

WIDE = Range.of(10_000, 3.0, 40)
BROKE = ("throughput",)


def search(holds, within=WIDE):
    """Search a server that says of each rate whether it holds it."""
    trials = []
    while (rate := next_rate(within, trials)) is not None:
        trials.append(Trial(rate, () if holds(rate) else BROKE))
    return conclude(within, trials), trials


def tried(text):
    """Read trials: `10+` held, `20-` broke, `40!` broke while the generator was late."""
    return [
        Trial(float(word[:-1]), () if word[-1] == "+" else BROKE, word[-1] == "!")
        for word in text.split()
    ]


@pytest.mark.parametrize(
    ("highest", "trial_s", "first", "lowest"),
    [
        (10_000, 3.0, 5.0, 4 / 3),
        (10_000, 0.5, 8.0, 8.0),  # fewer than four journeys in a trial would tell nothing
        (2, 3.0, 2.0, 4 / 3),
        (1, 3.0, 1.0, 1.0),
    ],
)
def test_a_range_begins_low_but_with_enough_journeys(highest, trial_s, first, lowest):
    """The first rate is 5/s; no rate has fewer than four journeys in a trial, or is too high."""
    within = Range.of(highest, trial_s, 40)
    assert (within.first, within.lowest) == (first, pytest.approx(lowest))


@pytest.mark.parametrize(
    ("trials", "rate"),
    [
        ("", 5),
        ("5+", 10),
        ("5+ 10+ 20+", 40),
        ("5-", 5),  # a first break is tried again: it may be a hiccup
        ("5- 5-", 2.5),
        ("5- 5+", 5),
        ("5- 5+ 5+", 10),
        ("5- 5- 2.5-", 4 / 3),  # not below what can be told
        ("5- 5- 2.5+", 3.54),
        ("10+ 20-", 20),
        ("10+ 20- 20-", 14.1),
        ("10+ 20- 20- 14.1+", 16.8),
        ("6000+", 10_000),  # not beyond what was asked for
        ("10000+", 10_000),  # once more, and once again
        ("10000+ 10000+ 10000+", None),
        ("100+ 105- 105-", 100),  # near enough: now both ends until each has three trials
        ("100+ 105- 105- 100+", 100),
        ("100+ 105- 105- 100+ 100+", 105),
        ("100+ 105- 100+ 105- 100+ 105-", None),
        ("100+ 105- 100+ 105- 100- 105-", None),  # two of three
        ("100+ 105- 105+", 105),  # not yet decided
        ("100+ 105- 100+ 105+ 105+", 210),  # it holds after all: beyond it nothing is known
        ("50+ 100+ 105- 100- 100-", 70.7),  # it breaks after all: the knee is further below
        ("50+ 100- 100- 80+ 90+ 95+ 98+ 100+ 100+ 100+", 200),  # a hiccup is outvoted
    ],
)
def test_the_next_rate_follows_from_the_trials(trials, rate):
    """Double, halve the bracket, repeat its ends; the majority decides and may move it."""
    found = next_rate(WIDE, tried(trials))
    assert found == (None if rate is None else pytest.approx(rate, rel=1e-3))


def test_a_search_ends_when_its_trials_are_used_up():
    """There are no more trials than the load allows, whatever is left to know."""
    within = Range.of(10_000, 3.0, 2)
    assert next_rate(within, tried("5+")) == 10
    assert next_rate(within, tried("5+ 10+")) is None
    assert conclude(within, tried("5+ 10+")).outcome == "unfinished"


@pytest.mark.parametrize(
    ("trials", "result"),
    [
        ("", Result("unfinished", None, None, None, ())),
        ("100+ 105- " * 3, Result("knee", 100, 100, 105, BROKE)),
        ("10000+ " * 3, Result("held", 10_000, 10_000, None, ())),
        ("1.3- " * 3, Result("lowest", None, None, 1.3, BROKE)),
        ("1.3! " * 3, Result("generator", None, None, None, ())),
        ("100+ 105! " * 3, Result("generator", 100, 100, None, ())),
        ("100+ 105! 100+ 105! 100+ 105-", Result("generator", 100, 100, None, BROKE)),
        ("100+ 105! 100+ 105- 100+ 105- 200-", Result("knee", 100, 100, 200, BROKE)),
        ("90+ 100+ 105- 100- 105- 100+ 105+ 110-", Result("knee", 100, 90, 110, BROKE)),
        ("100+ 200-", Result("unfinished", 100, 100, 200, BROKE)),
    ],
)
def test_the_conclusion_follows_from_the_trials(trials, result):
    """The interval is from what held every time to what broke every time by the target's fault."""
    within = Range(5, 1.3, 10_000, 40)
    assert conclude(within, tried(trials)) == result


def test_what_broke_most_often_just_above_the_knee_is_named():
    """Of three trials with two reasons, the one that came twice."""
    names = [("p95",), ("p95", "drops"), ("p95", "drops")]
    trials = [*tried("100+ 100+ 100+"), *(Trial(105, broke) for broke in names)]
    assert conclude(WIDE, trials).broke_by == ("p95", "drops")


@given(st.floats(1.4, 9_500))
def test_the_knee_of_a_server_without_noise_is_enclosed(capacity):
    """The interval holds the capacity, is at most 5 % wide, and its ends were tried thrice."""
    result, trials = search(lambda rate: rate <= capacity)
    assert result.outcome == "knee"
    assert result.low <= capacity <= result.high <= NARROW * result.low
    assert result.rate == result.low
    counts = Counter(trial.rate for trial in trials)
    assert counts[result.low] == counts[result.high] == REPEATS
    assert len(trials) <= 24


@given(st.floats(1.4, 9_500), st.integers(0, 10_000), st.floats(0, 0.05))
def test_the_knee_of_a_noisy_server_is_found_within_its_noise(capacity, seed, noise):
    """Up to 5 % of noise from turn to turn: the interval is off by no more than that, and ends."""
    rng = random.Random(seed)
    result, trials = search(lambda rate: rate <= capacity * (1 + rng.uniform(-noise, noise)))
    assert len(trials) <= WIDE.most
    if result.low is not None:
        assert result.low <= capacity * (1 + noise)
    if result.high is not None:
        assert result.high >= capacity * (1 - noise)
    if result.outcome == "knee":
        assert capacity * (1 - noise) / NARROW <= result.rate <= capacity * (1 + noise)


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_a_server_that_flaps_ends_the_search(seed, most):
    """A server that holds at random, whatever the rate: no more trials than allowed, no claim."""
    rng = random.Random(seed)
    within = Range.of(10_000, 3.0, most)
    result, trials = search(lambda _rate: rng.random() < 0.5, within)
    assert 1 <= len(trials) <= most
    known = [end for end in (result.low, result.rate, result.high) if end is not None]
    assert known == sorted(known)


def test_a_hiccup_now_and_then_does_not_spoil_the_search():
    """With 3 % of the trials broken by chance, 95 of 100 searches find the knee within 5 %."""
    hits = 0
    for seed in range(200):
        rng = random.Random(seed)
        result, _ = search(lambda rate, rng=rng: rate <= 333 and rng.random() > 0.03)
        hits += result.rate is not None and 333 / NARROW <= result.rate <= 333
    assert hits >= 190


def test_the_same_outcomes_make_the_same_search():
    """No chance, no clock: a search is a function of its trials."""
    assert search(lambda rate: rate <= 77) == search(lambda rate: rate <= 77)

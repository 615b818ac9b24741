"""The search for the capacity as a pure function: tables, and laws on ideal servers."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.results.judge.search import (
    MOST_WAIT_S,
    NARROW,
    REPEATS,
    RESTS_S,
    NextTurn,
    Probed,
    Range,
    Result,
    Trial,
    conclude,
    is_stuck,
    next_probe,
    next_trial,
)

WIDE = Range.of(10_000, 3.0, 60)
BROKE = ("throughput",)


def search(holds, within=WIDE):
    """Search a server; `holds` says whether it holds a rate."""
    trials = []
    while (step := next_trial(within, trials)) is not None:
        rounds = round(step.seconds / within.round_s)
        trials.append(Trial(step.rate, () if holds(step.rate) else BROKE, rounds=rounds))
    return conclude(within, trials), trials


def next_rate(within, trials):
    """Give only the rate of the next trial."""
    step = next_trial(within, trials)
    return None if step is None else step.rate


def tried(text):
    """Read trials: `10+` held, `20-` broke, `40!` broke while the generator was late.

    `40*` came to our own limit, `40?` broke when the target was slower than usual. `L` stands
    before a long trial.
    """
    return [
        Trial(
            float(word.strip("L+-!*?")),
            () if word[-1] in "+*" else BROKE,
            generator=word[-1] == "!",
            own_limit=word[-1] == "*",
            unsettled=word[-1] == "?",
            rounds=3 if word[0] == "L" else 1,
        )
        for word in text.split()
    ]


@pytest.mark.parametrize(
    ("highest", "trial_s", "first", "lowest"),
    [
        (10_000, 3.0, 5.0, 4 / 3),
        (10_000, 0.5, 8.0, 8.0),  # fewer than four journeys in a trial would show nothing
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
        ("5- 5- 2.5-", 4 / 3),  # not below the lowest rate
        ("5- 5- 2.5+", 3.54),
        ("10+ 20-", 20),
        ("10+ 20- 20-", 14.1),
        ("10+ 20- 20- 14.1+", 16.8),
        ("6000+", 10_000),  # not beyond the highest rate
        ("10000+", 10_000),  # once more, and once again
        ("10000+ 10000+ 10000+", 10_000),  # and, at last, in a long trial
        ("10000+ 10000+ 10000+ L10000+", None),
        ("100+ 105- 105-", 100),  # near enough: now both ends until each has three trials
        ("100+ 105- 105- 100+", 100),
        ("100+ 105- 105- 100+ 100+", 105),
        ("100+ 105- 100+ 105- 100+ 105-", 100),  # a long one
        ("100+ 105- 100+ 105- 100+ 105- L100+", None),
        ("90+ 100+ 105- 100+ 105- 100+ 105- L100-", 94.9),  # it overrules those three
        ("50+ 100+ 105- 100+ 105- 100- 105-", 96.2),  # two of three: is one below it sure?
        ("50+ 100+ 105- 100+ 105- 100- 105- 96.2+ 96.2+", 96.2),
        ("100+ 105- 100+ 105- 100+ 105- 105+", 109),  # and is one above it?
        ("100+ 105- 100+ 105- 100+ 105- 105+ 109- 109-", 109),
        ("5? 5?", 5),  # an unsettled target shows nothing
        ("5+ 10! 10!", 10),  # repeated: the load generator was the limit
        ("5+ 10! 10! 10!", 7.07),  # it is the limit at this rate
        ("5+ 10! 10! 10! 10-", 10),
        ("5+ 10+ 20- 10- 5- 20+ 10-", None),  # they contradict each other at every rate
        ("80+ 100- 90+ 90+ 90- 95+ 85- 100- 95-", 89.4),  # near the edge: now long ones
        ("10+ 10+ 10+ 10.5- 10.5- 10.5- L10-", None),  # the target holds short ones only
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
    """There are never more trials than the load allows, whatever is still unknown."""
    within = Range.of(10_000, 3.0, 2)
    assert next_rate(within, tried("5+")) == 10
    assert next_rate(within, tried("5+ 10+")) is None
    assert conclude(within, tried("5+ 10+")).outcome == "unfinished"


@pytest.mark.parametrize(
    ("trials", "result"),
    [
        ("", Result("unfinished", None, None, None, ())),
        ("100+ 105- " * 3 + "L100+", Result("knee", 100, 100, 105, BROKE)),
        ("10000+ " * 3 + "L10000+", Result("held", 10_000, 10_000, None, ())),
        ("1.3- " * 3, Result("lowest", None, None, 1.3, BROKE)),
        ("1.3! " * 3, Result("generator", None, None, None, ())),
        ("100+ 105! " * 3 + "200- L100+", Result("generator", 100, 100, 200, ())),
        ("100+ 105* " * 3 + "L100+", Result("own_limit", 100, 100, None, ())),
        ("100+ 105! 100+ 105- 100+ 105- 105- L100+", Result("knee", 100, 100, 105, BROKE)),
        ("100+ 105! 100+ 105- 100+ 105- 200-", Result("unfinished", 100, 100, 105, BROKE)),
        ("90+ 100+ 105- 100- 105- 100+ 105+ 110-", Result("unfinished", 100, 90, 110, BROKE)),
        ("5+ 10+ 20- 10- 5- 20+ 10-", Result("unsteady", None, None, None, BROKE)),
        (
            "20+ 40+ 80+ 320- 160- 160- 80- 80- 160+ 20+ 40- 640- 320-",
            Result("unsteady", 20, None, 320, BROKE),
        ),
        ("10+ 10+ 10+ 10.5- 10.5- 10.5- L10-", Result("unsteady", None, None, 10, BROKE)),
        ("100+ 200-", Result("unfinished", 100, 100, 200, BROKE)),
    ],
)
def test_the_conclusion_follows_from_the_trials(trials, result):
    """It is from what always held to what always broke by the target's fault."""
    within = Range(5, 1.3, 10_000, 60, 3.0)
    assert conclude(within, tried(trials)) == result


RESTED = [0.0, *RESTS_S[1:]]


@pytest.mark.parametrize(
    ("trials", "probes", "step"),
    [
        ("", "", (5, 1.0, 0.0)),  # before the first trial, at once
        ("", "-", (5, 1.0, 3.0)),  # perhaps the target is just starting
        ("", "-+", None),
        ("", "----", None),  # then it is tried anyway
        ("5-", "", (5, 1.0, 0.5)),
        ("5-", "--", None),  # nobody knows what it can do: no long wait
        ("5+", "", None),  # after a rate that held there is nothing to recover from
        ("5+ 10+ 20-", "", (5, 1.0, 0.5)),
        ("5+ 80+ 160-", "", (20, 0.5, 0.5)),  # a quarter of what held
        ("5+ 80+ 160-", "-", (20, 0.5, 3.0)),  # after more and more rest
        ("5+ 80+ 160-", "---", (20, 0.5, 17.0)),
        ("5+ 80+ 160-", "--+", None),
        ("5+ 80+ 160-", "----", None),
    ],
)
def test_probes_show_when_the_next_trial_may_begin(trials, probes, step):
    """The wait is bounded; a target that has held a rate, and does not recover, is stuck."""
    made = [Probed(one == "+", waited_s=1.0) for one in probes]
    expected = step and NextTurn("probe", *step)
    assert next_probe(WIDE, tried(trials), made) == expected
    assert is_stuck(tried(trials), made) is (probes == "----" and bool(trials))


def test_no_probe_begins_long_after_the_first_one():
    """Unanswered calls take time, too."""
    assert is_stuck(tried("5+ 10-"), [Probed(recovered=False, waited_s=MOST_WAIT_S + 1)])


def test_a_target_that_does_not_recover_ends_the_search():
    """It ends whatever else it would have tried."""
    found = conclude(WIDE, tried("40+ 80+ 160-"), stuck=True)
    assert found == Result("did_not_recover", 80, 80, 160, BROKE)


def test_long_trials_count_towards_the_rounds_of_the_load():
    """The rounds of all trials are limited, however long one trial is."""
    trials = tried("100+ 105- 100+ 105- 100+ 105-")
    for most, rate in ((8, None), (9, 100)):
        assert next_rate(Range.of(10_000, 3.0, most), trials) == rate
    assert conclude(Range.of(10_000, 3.0, 8), trials).outcome == "unfinished"


def test_what_broke_most_often_just_above_the_knee_is_named():
    """Of three trials with two reasons, it is the reason that came twice."""
    names = [("p95",), ("p95", "drops"), ("p95", "drops")]
    trials = [*tried("100+ 100+ 100+"), *(Trial(105, broke) for broke in names)]
    assert conclude(WIDE, trials).broke_by == ("p95", "drops")


@given(st.floats(1.4, 9_500))
def test_the_knee_of_a_server_without_noise_is_enclosed(capacity):
    """The interval has the capacity in it and is at most 5 % wide; both ends have three trials."""
    result, trials = search(lambda rate: rate <= capacity)
    assert result.outcome == "knee"
    assert result.low <= capacity <= result.high <= NARROW * result.low
    assert result.rate == result.low
    counts = Counter(trial.rate for trial in trials)
    assert (counts[result.low], counts[result.high]) == (REPEATS + 1, REPEATS)
    assert len(trials) <= 25


@given(st.floats(1.4, 9_500), st.integers(0, 10_000), st.floats(0, 0.05))
def test_the_knee_of_a_noisy_server_is_found_within_its_noise(capacity, seed, noise):
    """With up to 5 % noise between turns, the interval is off by no more than that, and ends."""
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
    """A server that holds at random at any rate: no more trials than allowed, and no claim."""
    rng = random.Random(seed)
    within = Range.of(10_000, 3.0, most)
    result, trials = search(lambda _rate: rng.random() < 0.5, within)
    assert 1 <= sum(trial.rounds for trial in trials) <= most
    known = [end for end in (result.low, result.rate, result.high) if end is not None]
    assert known == sorted(known)


def test_a_hiccup_now_and_then_does_not_spoil_the_search():
    """If 3 % of trials break by chance, 95 of 100 searches find the knee within 5 %."""
    hits = 0
    for seed in range(200):
        rng = random.Random(seed)
        result, _ = search(lambda rate, rng=rng: rate <= 333 and rng.random() > 0.03)
        hits += result.rate is not None and 333 / NARROW <= result.rate <= 333
    assert hits >= 190


def test_the_same_outcomes_make_the_same_search():
    """A search is a function of its trials, without chance and without a clock."""
    assert search(lambda rate: rate <= 77) == search(lambda rate: rate <= 77)

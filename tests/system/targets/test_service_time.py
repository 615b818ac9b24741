"""Service-time distributions: reading them and drawing from them."""

import random

import pytest

from mcp_targets.serving.service_time import Constant, LogNormal, Mixture, Quantiles, parse, read


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5ms", 0.005), ("0ms", 0.0), ("250us", 0.00025), ("1.5s", 1.5), (" 20 ms ", 0.02)],
)
def test_a_duration_is_a_constant_time(text, seconds):
    """The units are us, ms and s."""
    assert parse(text) == Constant(pytest.approx(seconds))


def test_a_mixture_has_shares_and_times():
    """Shares are cumulated once, and the last one is exactly 1."""
    mixture = parse("90%:5ms,9%:20ms,1%:200ms")
    assert mixture == Mixture((0.9, 0.99, 1.0), (0.005, 0.02, 0.2))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("5", "'5' is not a duration"),
        ("fast", "'fast' is not a duration"),
        ("-5ms", "is not a duration:"),
        ("90%:5ms,9%:20ms", "add up to 99%"),
        ("90:5ms,10%:1ms", "'90:5ms' is not part of a mixture"),
        ("90%:5ms,10%:x", "'x' is not a duration"),
        ("90%:5ms,", "'' is not part of a mixture"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text, complaint):
    """The message names the wrong part."""
    with pytest.raises(ValueError, match=complaint):
        parse(text)


def test_a_mixture_draws_each_time_with_its_share():
    """10 000 draws; five standard deviations of a binomial are allowed."""
    mixture = parse("90%:5ms,9%:20ms,1%:200ms")
    rng = random.Random(1)
    drawn = [mixture.draw_s(rng) for _ in range(10_000)]
    for seconds, share in ((0.005, 0.9), (0.02, 0.09), (0.2, 0.01)):
        allowed = 5 * (10_000 * share * (1 - share)) ** 0.5
        assert abs(drawn.count(seconds) - 10_000 * share) < allowed


def test_a_log_normal_time_has_its_median_in_the_middle():
    """Half of 10 000 draws lie on each side, within five standard deviations."""
    times = read({"lognormal": {"median_ms": 4, "sigma": 0.35}})
    assert times == LogNormal(0.004, 0.35)
    rng = random.Random(1)
    below = sum(times.draw_s(rng) < 0.004 for _ in range(10_000))
    assert abs(below - 5000) < 250


@pytest.mark.parametrize(("share", "ms"), [(0, 1), (0.25, 2.5), (0.5, 4), (0.75, 42), (1, 80)])
def test_recorded_quantiles_are_hit_exactly_and_joined_by_lines(share, ms):
    """A recorded share has its time; between two shares it is the weighted mean."""
    times = read({"quantiles": {0: 1, 0.5: 4, 1: 80}})
    assert isinstance(times, Quantiles)
    assert times.at(share) == pytest.approx(ms / 1000)


def test_the_same_seed_draws_the_same_times():
    """Runs are repeatable."""
    times = parse("50%:1ms,50%:2ms")
    drawn = [[times.draw_s(rng) for _ in range(50)] for rng in (random.Random(7), random.Random(7))]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    "value",
    [
        7,
        {"lognormal": {"median_ms": 0, "sigma": 1}},
        {"lognormal": {"median": 1}},
        {"quantiles": {0: 1}},
        {"quantiles": {0: 5, 1: 1}},
        {"quantiles": {0.1: 1, 1: 2}},
        {"normal": {"mean_ms": 3}},
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(value):
    """Even one that is nearly right."""
    with pytest.raises(ValueError, match=r"service time|log-normal|quantiles"):
        read(value)


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        ("0ms", "no service time"),
        ("5ms", "service time 5 ms"),
        ("90%:5ms,10%:20ms", "service time a mixture of 5 ms, 20 ms"),
        ({"lognormal": {"median_ms": 4, "sigma": 0.35}}, "log-normal service time, median 4 ms"),
        ({"quantiles": {0: 1, 0.5: 4, 1: 80}}, "service time by recorded quantiles, median 4 ms"),
    ],
)
def test_a_distribution_says_what_it_is(value, phrase):
    """Reports list in words what was simulated."""
    assert read(value).describe() == phrase

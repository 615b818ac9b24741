"""The turns of a search, taken one by one as the conductor does."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.load.plan.search import beginning, most_rounds
from mcp_perf.results.report.build import build
from tests.support.virtual_search import Server, conduct, load, search


def seen_of(made):
    """Give only the turns of a search."""
    return [turn for turn, _ in made]


def report_of(servers, gates=(), **given_):
    """Give what the report says about a search."""
    return build(search(servers, gates, rate="1k/s", **given_))


@pytest.mark.parametrize(
    ("rounds", "run_time_s", "arms", "most"),
    [
        (40, None, 2, 40),
        (40, 60.0, 1, 20),
        (40, 60.0, 2, 10),
        (40, 6000.0, 2, 40),  # more time does not make it surer
        (40, 1.0, 2, 1),
        (3, 27.0, 3, 3),
    ],
)
def test_a_bound_on_the_time_takes_trials_away(rounds, run_time_s, arms, most):
    """A trial keeps its length, because its rates depend on it."""
    assert most_rounds(load(rate="1k/s", rounds=rounds), arms, run_time_s) == most


def test_the_beginning_is_known_in_advance():
    """It is a warm-up of each arm, and its first trial at the lowest rate of the search."""
    found = beginning(load(rate="1k/s", warmup="1s"), ["control", "mcp"], 200)
    assert [(t.number, t.arm, t.phase, t.round, t.seconds, t.users, t.rate) for t in found] == [
        (0, "control", "warmup", 0, 1.0, 200, 5.0),
        (1, "mcp", "warmup", 0, 1.0, 200, 5.0),
        (2, "control", "round", 1, 3.0, 200, 5.0),
        (3, "mcp", "round", 1, 3.0, 200, 5.0),
    ]


def test_turns_are_numbered_without_a_gap_and_arms_alternate_in_mirrored_order():
    """As in every run: A B, B A, A B …, until one arm's search is over; then the other alone."""
    servers = {"a": Server(0.04, 4), "b": Server(0.04, 4), "c": Server(4.0, 1)}
    seen = seen_of(conduct(servers, rate="1k/s"))
    assert [turn.number for turn in seen] == list(range(len(seen)))
    by_round = {}
    for turn in seen:
        if turn.phase == "round":
            by_round[turn.round] = by_round.get(turn.round, "") + turn.arm
    assert [by_round[number] for number in range(1, 8)] == [
        "abc", "cba", "abc", "cba", "abc", "cba", "ab",
    ]  # fmt: skip


def test_a_probe_comes_before_the_first_trial_and_after_one_that_broke():
    """It is short, has a quarter of the rate that held, and the round of the trial after it."""
    seen = seen_of(conduct({"mcp": Server(0.02, 4)}, rate="1k/s"))
    told = [(turn.phase, turn.round, turn.rate, turn.seconds, turn.rest_s) for turn in seen[:12]]
    assert told == [
        ("warmup", 0, 5.0, 3.0, 0.0),
        ("probe", 1, 5.0, 1.0, 0.0),
        *(("round", 1 + doubled, 5.0 * 2**doubled, 3.0, 0.0) for doubled in range(7)),
        ("probe", 8, 40.0, 0.5, 0.5),
        ("round", 8, 320.0, 3.0, 0.0),
        ("probe", 9, 40.0, 0.5, 0.5),
    ]


def test_the_capacity_is_tried_once_more_in_a_long_trial():
    """It runs at the highest rate that held, for at least three rounds and a hundred journeys."""
    for server, seconds in ((Server(0.02, 4), 9.0), (Server(0.2, 1), 21.0)):
        seen = [one for one in seen_of(conduct({"mcp": server}, rate="1k/s")) if one.round]
        long = [turn for turn in seen if turn.seconds > 3]
        assert long[0].seconds == seconds
        assert long[0].rate == max(turn.rate for turn in long)


def test_arms_search_independently():
    """A slow arm does not hold a fast one back, and each has its own knee."""
    report = report_of({"fast": Server(0.01, 4), "slow": Server(0.1, 4)})
    rates = {name: arm.capacity.rate_per_s for name, arm in report.arms.items()}
    assert rates == {"fast": pytest.approx(400, rel=0.1), "slow": pytest.approx(40, rel=0.1)}
    assert report.verdict == "PASS"


@settings(max_examples=10)
@given(st.floats(0.01, 0.3), st.integers(1, 6), st.floats(0, 0.05), st.integers(0, 999))
def test_the_report_agrees_with_the_search(service_s, slots, noise, seed):
    """From the journal alone it gets the same trials and the same end."""
    server = Server(service_s, slots, noise=noise, rng=random.Random(seed))
    seen = []
    found = report_of({"mcp": server}, ["mcp.p95 < 2s"], seen=seen).arms["mcp"].capacity
    trials = [turn for turn in seen if turn.phase == "round"]
    tried = [rate for level in found.levels for rate in [level.rate_per_s] * level.repeats]
    assert sorted(turn.rate for turn in trials) == tried
    assert found.outcome != "unfinished" or sum(turn.seconds for turn in trials) > 3 * 20


def test_the_same_outcomes_make_the_same_turns():
    """There is no chance and no clock, so a search can be repeated."""
    once, again = (seen_of(conduct({"mcp": Server(0.03, 3)}, rate="1k/s")) for _ in range(2))
    assert once == again


def test_a_gate_moves_the_knee():
    """A bound on the latency breaks before the throughput does."""
    capacities = [
        report_of({"mcp": Server(0.05, 10)}, gates).arms["mcp"].capacity.rate_per_s
        for gates in ([], ["mcp.max < 60ms"])
    ]
    assert capacities[1] < capacities[0]


def test_a_search_whose_turns_are_lost_ends():
    """A lost worker leaves turns without an end. They do not count, and are limited."""
    lost = set(range(4, 99))
    seen = seen_of(conduct({"mcp": Server(0.03, 3)}, rate="1k/s", rounds=12, lost=lost))
    trials = [turn for turn in seen if turn.phase == "round"]
    assert len(trials) == 12
    assert {turn.rate for turn in trials[2:]} == {20.0}
    report = report_of({"mcp": Server(0.03, 3)}, rounds=12, lost=lost)
    assert report.arms["mcp"].capacity.outcome == "unfinished"

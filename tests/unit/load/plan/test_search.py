"""A search's turns, asked for one after the other as the conductor does."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.load.plan.search import beginning, most_rounds, turns
from mcp_perf.results.journal.records import RunEnded
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.tally import fold
from mcp_perf.scenario.model.load import Load
from tests.support.virtual_search import Server, run_record


def load(**given_):
    """Read the load of a search up to 1000/s."""
    return Load.model_validate({"shape": "breakpoint", "rate": "1k/s", **given_})


def conduct(servers, *, gates=(), lost=(), **given_):
    """Run a search as a run does: each turn's records are in the tally before the next is asked."""
    load_ = load(**given_)
    run = run_record(servers, gates, rate=load_.peak, round_s=load_.round, rounds=load_.rounds)
    tally = fold([run])
    records, seen = [run], []
    first = beginning(load_, list(servers), load_.most_users)
    for turn in turns(first, run, tally):
        seen.append(turn)
        made = servers[turn.arm].turn(turn.number, turn.arm, turn.round, turn.rate, turn.seconds)
        for record in [*made][: 1 if turn.number in lost else None]:
            tally.take(record)
            records.append(record)
    return seen, [*records, RunEnded(at_s=1.0, reason="finished")]


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
    """A trial keeps its length, for its rates depend on it."""
    assert most_rounds(load(rounds=rounds), arms, run_time_s) == most


def test_the_beginning_is_known_beforehand():
    """A warm-up of each arm and its first trial, at the lowest rate of the search."""
    found = beginning(load(warmup="1s"), ["control", "mcp"], 200)
    assert [(t.number, t.arm, t.phase, t.round, t.seconds, t.users, t.rate) for t in found] == [
        (0, "control", "warmup", 0, 1.0, 200, 5.0),
        (1, "mcp", "warmup", 0, 1.0, 200, 5.0),
        (2, "control", "round", 1, 3.0, 200, 5.0),
        (3, "mcp", "round", 1, 3.0, 200, 5.0),
    ]


def test_turns_are_numbered_without_a_gap_and_arms_alternate_in_mirrored_order():
    """As in every run: A B, B A, A B …, until one arm's search is over; then the other alone."""
    seen, _ = conduct({"a": Server(0.04, 4), "b": Server(0.04, 4), "c": Server(4.0, 1)})
    assert [turn.number for turn in seen] == list(range(len(seen)))
    rounds = [turn for turn in seen if turn.round]
    by_round = {}
    for turn in rounds:
        by_round.setdefault(turn.round, "")
        by_round[turn.round] += turn.arm
    assert [by_round[number] for number in range(1, 8)] == [
        "abc", "cba", "abc", "cba", "abc", "cba", "ab",
    ]  # fmt: skip
    assert {turn.seconds for turn in rounds} == {3.0}


def test_arms_search_apart():
    """A slow arm does not hold a fast one back, and each has its own knee."""
    _, records = conduct({"fast": Server(0.01, 4), "slow": Server(0.1, 4)})
    report = build(records)
    rates = {name: arm.capacity.rate_per_s for name, arm in report.arms.items()}
    assert rates == {"fast": pytest.approx(400, rel=0.1), "slow": pytest.approx(40, rel=0.1)}
    assert report.verdict == "PASS"


@settings(max_examples=20)
@given(st.floats(0.01, 0.3), st.integers(1, 6), st.floats(0, 0.05), st.integers(0, 999))
def test_the_report_tells_of_the_search_that_was_made(service_s, slots, noise, seed):
    """From the journal alone: its trials are those of the run, and they came to the same end."""
    server = Server(service_s, slots, noise=noise, rng=random.Random(seed))
    seen, records = conduct({"mcp": server}, gates=["mcp.p95 < 2s"])
    found = build(records).arms["mcp"].capacity
    rounds = [turn.rate for turn in seen if turn.phase == "round"]
    tried = [rate for level in found.levels for rate in [level.rate_per_s] * level.repeats]
    assert sorted(rounds) == tried
    assert len(rounds) == 40 or found.outcome != "unfinished"


def test_the_same_outcomes_make_the_same_turns():
    """No chance and no clock: a search can be made again."""
    assert conduct({"mcp": Server(0.03, 3)})[0] == conduct({"mcp": Server(0.03, 3)})[0]


def test_a_gate_moves_the_knee():
    """A bound on the latency breaks before the throughput does."""
    capacities = [
        build(conduct({"mcp": Server(0.05, 10)}, gates=gates)[1]).arms["mcp"].capacity.rate_per_s
        for gates in ([], ["mcp.max < 60ms"])
    ]
    assert capacities[1] < capacities[0]


def test_a_search_whose_turns_are_lost_ends():
    """A worker that is gone leaves turns without an end: they tell nothing, and are bounded."""
    seen, records = conduct({"mcp": Server(0.03, 3)}, rounds=12, lost=set(range(3, 99)))
    assert len(seen) == 1 + 12
    assert {turn.rate for turn in seen[3:]} == {seen[3].rate}
    assert build(records).arms["mcp"].capacity.outcome == "unfinished"

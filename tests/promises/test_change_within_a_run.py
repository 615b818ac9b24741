"""Promise 36: a change within a run is detected, reported with its interval, and can be judged."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.results.document.document import Report
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, judged

GATE = "mcp.drift < 10%"
ROUNDS = 10
RUNS = 100


def going(way: Callable[[int], float], rounds: int = ROUNDS, seed: int = 1) -> list[Round]:
    """Give rounds of ten users whose journeys per second follow a path, with 2 % noise."""
    rng = random.Random(seed)
    rates = [way(at) * rng.lognormvariate(0, 0.02) for at in range(rounds)]
    counts = [round(rate) for rate in rates]  # closed load: all that begin are planned
    return [
        Round(ms=1e4 / rate, ok=n, planned=n, users=10)
        for rate, n in zip(rates, counts, strict=True)
    ]


def slowing(at: int) -> float:
    """Go from 207/s to 95/s over ten rounds."""
    return 207 + (95 - 207) * at / (ROUNDS - 1)


def starting(at: int) -> float:
    """Reach full speed after three rounds."""
    return 120 if at < 3 else 200


def report_of(rounds: list[Round], **changes) -> Report:
    """Give the report of a run of one arm, with a gate on its drift."""
    return build(virtual.journal({"mcp": rounds}, gates=[GATE], **changes))


def drift_notes(report: Report) -> list[str]:
    """Give the notes about changes within the run."""
    return [note for note in report.notes if note.startswith(("mcp.throughput", "mcp.journey"))]


def test_promise_36_a_server_that_slows_down_is_seen():
    """From 207/s to 95/s over ten rounds: two notes with a slope and an interval, and FAIL."""
    for seed in range(RUNS):
        report = report_of(going(slowing, seed=seed))
        (gate,) = report.gates
        assert (report.verdict, gate.verdict, gate.unit) == ("FAIL", "FAIL", "fraction")
        longer, fewer = drift_notes(report)
        assert longer.startswith("mcp.journey_p50 rose by 1")
        assert fewer.startswith("mcp.throughput fell by 5")
        assert all(
            note.endswith("from the first of 10 rounds to the last: it drifts.")
            for note in (longer, fewer)
        )
        for one in report.arms["mcp"].drift:
            low, high = one.ci95
            truth = {"throughput": 95 / 207 - 1, "journey_p50": 207 / 95 - 1}[one.metric]
            assert low < one.change < high
            assert one.change == pytest.approx(truth, rel=0.2)


def test_promise_36_a_warm_up_that_was_too_short_is_seen():
    """Three slow rounds before seven others are named, with what to do, and fail the gate."""
    report = report_of(going(starting))
    shorter, more = drift_notes(report)
    assert shorter.startswith("mcp.journey_p50 fell by 39")
    assert more.startswith("mcp.throughput rose by 64")
    for note in (shorter, more):
        assert "after round 3 of 10. The warm-up was too short" in note
    assert report.gates[0].verdict == "FAIL"
    assert "throughput" in report.gates[0].reason


def test_promise_36_a_steady_server_is_called_so():
    """Of a hundred runs with 2 % noise none fails, most pass, and few have a note."""
    reports = [report_of(going(lambda _: 200, seed=seed)) for seed in range(RUNS)]
    assert {report.gates[0].verdict for report in reports} <= {"PASS", "INCONCLUSIVE"}
    assert sum(report.gates[0].verdict == "PASS" for report in reports) >= 0.75 * RUNS
    assert sum(bool(drift_notes(report)) for report in reports) <= 0.05 * RUNS


@pytest.mark.parametrize(
    ("rounds", "why"),
    [
        (going(slowing)[:5], "Finished rounds: 5; mcp.drift needs at least 6"),
        (
            [*going(slowing), Round(ok=0, failed=50, users=10)],
            "journey_p50 has no value in some of 11",
        ),
        (going(lambda at: 100 * 1.5 ** (at % 2)), "Make more or longer rounds"),
    ],
)
def test_promise_13_thin_or_broken_rounds_show_no_drift(rounds, why):
    """Too few rounds, one without a value, or noise: INCONCLUSIVE, with the reason."""
    report = report_of(rounds)
    assert report.gates[0].verdict == "INCONCLUSIVE"
    assert why in report.gates[0].reason
    assert drift_notes(report) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.integers(0, ROUNDS - 1), st.integers(1, 60), st.booleans())
def test_promise_27_no_failure_hides_a_drift(seed, at, failed, slower):
    """Failed calls in any round never turn a FAIL of this gate into PASS."""
    rng = random.Random(seed)
    ratio = rng.uniform(0.8, 1)
    rounds = going(lambda n: 100 * ratio ** ((n if slower else -n) / 4), seed=seed)
    before = judged(GATE, mcp=rounds).verdict
    rounds[at] = Round(
        ms=rounds[at].ms, ok=rounds[at].ok - failed, failed=failed, users=rounds[at].users
    )
    after = judged(GATE, mcp=rounds)
    assert (before, after.verdict) != ("FAIL", "PASS")


def test_promise_27_failures_leave_a_drift_open():
    """A steady arm whose failures could hide a change does not pass; a few failures cannot."""
    rounds = [Round(ms=10, users=10)] * ROUNDS
    assert judged(GATE, mcp=rounds).verdict == "PASS"
    few = [Round(ms=10, ok=99, failed=1, users=10), *rounds[1:]]
    assert judged(GATE, mcp=few).verdict == "PASS"
    many = [Round(ms=10, ok=70, failed=30, users=10)] * ROUNDS
    found = judged(GATE, mcp=many)
    assert found.verdict == "INCONCLUSIVE"
    assert "depends on how long 300 failed journeys would have taken" in found.reason
    half = [Round(ms=10, ok=50, failed=50, users=10)] * ROUNDS
    assert judged(GATE, mcp=half).verdict == "INCONCLUSIVE"
    most = [Round(ms=10, ok=45, failed=55, users=10), *rounds[1:]]
    assert judged(GATE, mcp=most).verdict == "INCONCLUSIVE"


def test_arrivals_that_chance_spreads_are_no_drift():
    """In an open load, finished journeys are compared with the round's planned arrivals."""
    planned = [80, 130, 90, 110, 100, 120, 70, 100, 140, 90]
    rounds = [Round(ms=10, ok=n, planned=n, rate=100) for n in planned]
    assert judged("mcp.drift < 1%", mcp=rounds).verdict == "PASS"


def test_a_load_that_changes_has_no_drift():
    """With more users there are more journeys: nothing is noted, and each level is judged alone."""
    report = report_of([Round(ms=10, ok=100 * n, users=n) for n in range(1, 9)])
    assert report.arms["mcp"].drift == []
    assert drift_notes(report) == []
    assert report.gates[0].verdict == "INCONCLUSIVE"

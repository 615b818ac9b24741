"""Gates on evidence: the interval decides, and what was not measured never passes."""

import pytest

from mcp_perf.numbers import counted, said
from mcp_perf.results.judge.gates import judge
from mcp_perf.scenario.model.gates import METRICS, parse
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, evidence, judged, noisy


def calls(n: int, failed: int = 0, rounds: int = 1) -> list[Round]:
    """Give a turn of `ok` calls, and failed ones."""
    return [Round(ok=(n - failed) // rounds, failed=failed // rounds)] * rounds


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.p95 < 200ms", "PASS"),
        ("mcp.p95 <= 50ms", "FAIL"),
        ("mcp.p95 < 109ms", "INCONCLUSIVE"),
        ("mcp.p95 > 200ms", "FAIL"),
        ("mcp.p95 >= 50ms", "PASS"),
        ("mcp.mean < 101ms", "INCONCLUSIVE"),
        ("mcp.mean < 110ms", "PASS"),
        ("mcp.journey_p50 < 90ms", "FAIL"),
        ("mcp.journey_p50 < 110ms", "PASS"),
        ("mcp.throughput > 9/s", "PASS"),
        ("mcp.throughput > 11/s", "FAIL"),
        ("mcp.calls_per_s >= 10/s", "INCONCLUSIVE"),
    ],
)
def test_times_and_rates_are_judged_by_how_much_rounds_differ(gate, verdict):
    """About 100 ms with 2 % noise: decided only if the whole interval lies on one side."""
    result = judged(gate, mcp=noisy(100, 10))
    assert result.verdict == verdict
    low, high = result.ci95
    assert low < result.measured < high
    assert (result.reason == "") is (verdict == "PASS")


def test_an_undecided_gate_says_how_many_rounds_would_decide():
    """The reason has the number, its interval, the bound and what to do."""
    result = judged("mcp.mean < 101ms", mcp=noisy(100, 10))
    for part in ("mcp.mean is", "between", "asks for < 101 ms", "had 10 rounds", "About "):
        assert part in result.reason
    assert result.unit == "ms"


def test_more_rounds_do_not_help_a_value_on_its_bound():
    """If the value lies on the bound, the reason does not promise a number of rounds."""
    exact = judged("mcp.mean < 1s", mcp=noisy(100, 10)).measured
    result = judged(f"mcp.mean < {exact:.3f}ms", mcp=noisy(100, 10))
    assert result.verdict == "INCONCLUSIVE"
    assert "so close to the bound that more rounds will hardly decide it" in result.reason


def test_a_failed_gate_says_what_was_measured_and_asked_for():
    """The reason of a FAIL has the numbers that show it."""
    result = judged("mcp.mean < 50ms", mcp=noisy(100, 10))
    assert result.reason.startswith("mcp.mean is 10")
    assert result.reason.endswith("(95 %); the gate asks for < 50 ms.")


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.p50 < 220ms", "PASS"),
        ("mcp.p50 < 40ms", "FAIL"),
        ("mcp.p50 < 120ms", "INCONCLUSIVE"),
        ("mcp.p90 < 230ms", "PASS"),
    ],
)
def test_percentiles_of_fewer_than_six_rounds_decide_what_is_clear(gate, verdict):
    """With one round, its samples' interval counts at twice the distance, because rounds differ."""
    result = judged(gate, mcp=noisy(100, 1, n=400, noise=0))
    assert result.verdict == verdict
    assert result.ci95 is not None
    if verdict == "INCONCLUSIVE":
        assert "takes at least 6" in result.reason


def test_a_percentile_without_an_upper_end_cannot_pass():
    """No sample of 100 calls is far enough out for a p99, so it has a lower end only."""
    result = judged("mcp.p99 < 10s", mcp=noisy(100, 1, n=100, noise=0))
    assert (result.verdict, result.ci95) == ("INCONCLUSIVE", None)
    assert "at least 5" in result.reason
    assert judged("mcp.p99 < 40ms", mcp=noisy(100, 1, n=100, noise=0)).verdict == "FAIL"


def test_a_percentile_without_a_lower_end_begins_at_zero():
    """No sample of three calls is surely below the median."""
    result = judged("mcp.p50 > 1us", mcp=noisy(100, 1, n=3, noise=0))
    assert result.verdict == "INCONCLUSIVE"


def test_one_round_does_not_show_how_much_a_mean_varies():
    """Samples alone give means and rates no interval, so the reason asks for more rounds."""
    result = judged("mcp.throughput > 1/s", mcp=noisy(100, 2))
    assert (result.verdict, result.ci95) == ("INCONCLUSIVE", None)
    assert result.measured == pytest.approx(10, rel=0.05)
    assert "at least 6" in result.reason


def test_a_round_without_a_value_leaves_the_gate_open():
    """A round in which no journey was completed is not left out of the judgement."""
    result = judged("mcp.journey_p50 < 1s", mcp=[*noisy(100, 5), Round(ok=0, failed=50)])
    assert result.verdict == "INCONCLUSIVE"
    assert "no value in 1 of 6 rounds" in result.reason


@pytest.mark.parametrize(
    ("metric", "n", "needed"),
    [("p99", 99, 100), ("p95", 19, 20), ("p90", 9, 10), ("p50", 1, 2), ("p99_9", 999, 1000)],
)
def test_a_percentile_of_too_few_calls_does_not_exist(metric, n, needed):
    """If no call lies beyond it, it is only the maximum; the reason says how many are needed."""
    few = judged(f"mcp.{metric} < 10s", mcp=noisy(100, 1, n=n))
    assert few.verdict == "INCONCLUSIVE"
    made = f"mcp made {counted(n, 'call')}"
    assert f"{made}: {metric} needs at least {needed}" in few.reason
    enough = judged(f"mcp.{metric} < 10s", mcp=noisy(100, 1, n=needed))
    assert "needs at least" not in enough.reason
    journeys = judged(f"mcp.journey_{metric} < 10s", mcp=noisy(100, 1, n=n))
    assert f"mcp made {counted(n, 'journey')}:" in journeys.reason


@pytest.mark.parametrize(
    ("gate", "n", "failed", "verdict"),
    [
        ("mcp.error_rate < 0.1%", 5000, 0, "PASS"),
        ("mcp.error_rate < 0.1%", 500, 0, "INCONCLUSIVE"),
        ("mcp.error_rate < 1%", 500, 2, "INCONCLUSIVE"),
        ("mcp.error_rate < 1%", 500, 50, "FAIL"),
        ("mcp.error_rate < 50%", 500, 50, "PASS"),
        ("mcp.error_rate < 99%", 100, 100, "INCONCLUSIVE"),
        ("mcp.error_rate < 50%", 100, 100, "FAIL"),
        ("mcp.error_rate <= 0%", 100, 0, "PASS"),
        ("mcp.error_rate <= 0%", 100, 1, "FAIL"),
        ("mcp.success_rate > 99%", 100, 0, "INCONCLUSIVE"),
        ("mcp.success_rate > 99%", 1000, 0, "PASS"),
        ("mcp.success_rate > 99%", 1000, 100, "FAIL"),
        ("mcp.success_rate < 5%", 1000, 1000, "PASS"),
        ("mcp.success_rate >= 100%", 10, 0, "PASS"),
        ("mcp.success_rate >= 100%", 10, 1, "FAIL"),
    ],
)
def test_rates_of_failure_are_judged_by_their_counts(gate, n, failed, verdict):
    """The exact interval of the counts decides; 0 % and 100 % are about this run's calls."""
    result = judged(gate, mcp=calls(n, failed))
    assert result.verdict == verdict
    assert (result.reason == "") is (verdict == "PASS")
    assert result.unit == "fraction"


@pytest.mark.parametrize(
    ("gate", "n", "failed", "reason"),
    [
        (
            "mcp.error_rate < 0.1%",
            500,
            0,
            (
                "0 of 500 calls failed, so the rate is < 0.597 % (95 %); the gate asks "
                "for < 0.1 %. About 2 995 calls would decide it."
            ),
        ),
        (
            "mcp.success_rate > 99%",
            100,
            0,
            (
                "100 of 100 journeys were ok, so the rate is > 97 % (95 %); the "
                "gate asks for > 99 %. "
                "About 299 journeys would decide it."
            ),
        ),
        (
            "mcp.error_rate < 1%",
            500,
            2,
            (
                "2 of 500 calls failed, so the rate is 0.0485 % to 1.44 % (95 %); the gate asks "
                "for < 1 %. About 1 495 calls would decide it."
            ),
        ),
    ],
)
def test_an_open_rate_says_what_the_counts_show_and_how_many_are_needed(gate, n, failed, reason):
    """No failure in a few calls proves little, and the reason says how little."""
    assert judged(gate, mcp=calls(n, failed)).reason == reason


def test_the_number_of_calls_asked_for_is_enough():
    """With as many calls as the reason asks for, and no failure, the gate passes."""
    assert judged("mcp.error_rate < 0.1%", mcp=calls(2994)).verdict == "INCONCLUSIVE"
    assert judged("mcp.error_rate < 0.1%", mcp=calls(2995)).verdict == "PASS"


def test_calls_that_we_cut_off_or_built_wrongly_are_not_evidence():
    """Harness errors count neither for nor against; calls that were cut off decide nothing."""
    what = Round(ok=5000, other={"harness_error": 900})
    assert judged("mcp.error_rate < 0.1%", mcp=[what]).measured == 0
    assert judged("mcp.success_rate > 99%", mcp=[what]).verdict == "PASS"
    cut = Round(ok=5000, other={"interrupted": 900})
    assert judged("mcp.error_rate < 0.1%", mcp=[cut]).measured == 0
    assert judged("mcp.success_rate > 99%", mcp=[cut]).verdict == "INCONCLUSIVE"
    assert judged("mcp.success_rate > 80%", mcp=[cut]).verdict == "PASS"


@pytest.mark.parametrize(
    ("gate", "verdict", "measured"),
    [
        ("mcp.calls >= 200", "PASS", 200),
        ("mcp.calls > 200", "FAIL", 200),
        ("mcp.journeys_done >= 200", "PASS", 200),
        ("mcp.dropped <= 3", "FAIL", 4),
        ("mcp.dropped < 5", "PASS", 4),
        ("mcp.max < 10ms", "FAIL", pytest.approx(10.99)),
    ],
)
def test_counts_and_the_longest_time_are_what_they_are(gate, verdict, measured):
    """They do not need an interval: they say what happened in this run."""
    result = judged(gate, mcp=[Round(planned=102, dropped=2)] * 2)
    assert (result.verdict, result.measured, result.ci95) == (verdict, measured, None)
    assert (result.reason == "") is (verdict == "PASS")


GATES = [
    f"{{arm}}.{metric} {op} {value}"
    for metric, what in METRICS.items()
    for op in ("<", "<=", ">", ">=")
    for value in {
        "time": ("1ms", "9s"),
        "fraction": ("1%", "99%"),
        "slots": ("1%", "99%"),
        "rate": ("1/s", "9k/s"),
        "share": ("1%", "400%"),
        "work": ("1us", "9s"),
        "bytes": ("1B", "9GiB"),
        "growth": ("0%", "900%"),
        "kib": ("0KiB", "99KiB"),
        "drift": ("1%", "900%"),
    }.get(what.kind, ("0", "99"))
    if (op, value) not in {("<", "0"), (">=", "0")}
]
NOTHING = {
    "no rounds": {"rest": [Round()] * 3},
    "no calls": {"mcp": [Round(ok=0)] * 3},
    "only cut off": {"mcp": [Round(ok=0, other={"interrupted": 50})] * 3},
    "only our own fault": {"mcp": [Round(ok=0, other={"harness_error": 50})] * 3},
}


@pytest.mark.parametrize("arms", NOTHING.values(), ids=NOTHING.keys())
@pytest.mark.parametrize("versus", [False, True])
def test_promise_17_no_gate_passes_on_an_arm_without_calls(arms, versus):
    """Whatever the gate, nothing passes by absence, and the reason is never empty."""
    shown = evidence(virtual.journal({"rest": [Round()] * 3} | arms))
    for text in GATES:
        gate = text.format(arm="mcp")
        if versus:
            if METRICS[parse(gate).metric].kind in ("growth", "kib", "drift"):
                continue  # has no ratio
            gate = " ".join([*gate.split()[:2], "2x rest"])
        result = judge(parse(gate), shown)
        assert result.verdict in {"INCONCLUSIVE", "FAIL"}, gate
        assert result.reason, gate


def test_no_gate_on_journeys_passes_when_every_call_failed():
    """Failing fast is not being fast: no completed journey, no journey time, no throughput."""
    shown = evidence(virtual.journal({"mcp": [Round(ok=0, failed=50)] * 3}))
    for text in GATES:
        gate = text.format(arm="mcp")
        result = judge(parse(gate), shown)
        if METRICS[parse(gate).metric].needs == "journeys" and "success_rate" not in gate:
            assert result.verdict in {"INCONCLUSIVE", "FAIL"}, gate


def test_a_throughput_of_zero_fails_its_minimum():
    """If every journey failed, evidence is not what is missing."""
    result = judged("mcp.throughput >= 1/s", mcp=[Round(ok=0, failed=50)] * 3)
    assert (result.verdict, result.measured) == ("FAIL", 0)


def test_starts_that_were_never_planned_cannot_pass_as_not_dropped():
    """A gate on dropped starts needs a plan."""
    result = judged("mcp.dropped <= 0", mcp=[Round()] * 3)
    assert result.verdict == "INCONCLUSIVE"
    assert "No start of mcp was planned" in result.reason


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (61.2345, "ms", "61.2 ms"),
        (0.00597, "fraction", "0.597 %"),
        (123456.7, "/s", "123 457/s"),
        (3.4, "x", "3.4\u00d7"),
        (2995, "count", "2 995"),
    ],
)
def test_numbers_in_reasons_are_short_and_have_their_unit(value, unit, text):
    """Three digits, separated thousands, never an exponent."""
    assert said(value, unit) == text


@pytest.mark.parametrize(
    ("gate", "verdict", "measured"),
    [
        ("mcp.rate_limited_rate < 1%", "FAIL", 0.1),
        ("mcp.rate_limited_rate > 5%", "PASS", 0.1),
        ("mcp.rate_limited_rate <= 0%", "FAIL", 0.1),
        ("mcp.error_rate < 12%", "FAIL", 0.2),
        ("control.rate_limited_rate <= 0%", "PASS", 0.0),
    ],
)
def test_refusals_for_the_rate_are_failures_that_can_be_judged_alone(gate, verdict, measured):
    """100 of 1000 calls refused and 100 failed otherwise: one gate sees 10 %, the other 20 %."""
    arms = {"mcp": [Round(ok=800, failed=100, cls="rate_limited", other={"tool_error": 100})]}
    result = judged(gate, control=[Round(ok=1000)], **arms)
    assert (result.verdict, result.measured) == (verdict, measured)

"""What only MCP has: the size of tools/list in a model's context, first notifications, set-up."""

import pytest
from msgspec.structs import replace

from mcp_perf.numbers import out_of
from mcp_perf.results.journal.records import Health, Slice
from mcp_perf.results.report.build import build
from tests.support.virtual_run import Round, cell, journal

ARM = {"target": "http://127.0.0.1/mcp", "protocol": "x", "tools": 3, "tools_list_bytes": 8000}


def extra(*cells, turn=0):
    """Give a slice with further cells."""
    health = Health(cpu_s=0.0, wall_s=1.0)
    return Slice(node="w1", turn=turn, at_s=0.5, seconds=1.0, cells=list(cells), health=health)


def report(*records, gates=()):
    """Give the report of rounds of 100 calls and more records, on a server with three tools."""
    first, *rest = journal({"mcp": [Round()] * 6}, extra=records, gates=list(gates))
    return build([replace(first, arms={"mcp": ARM}), *rest])


def test_the_list_of_tools_has_a_size_in_tokens():
    """8000 bytes are about 2000 tokens, and the estimator is named."""
    context = report().arms["mcp"].context
    assert (context.tools, context.tools_list_bytes, context.tools_list_tokens) == (3, 8000, 2000)
    assert context.estimator == "4 bytes of JSON a token"


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.tools_list_tokens < 10k", "PASS"),
        ("mcp.tools_list_tokens < 1k", "FAIL"),
        ("mcp.result_tokens < 10", "PASS"),
        ("mcp.first_event_p50 < 100ms", "PASS"),
        ("mcp.first_event_p50 < 1ms", "FAIL"),
        ("mcp.recovery_p50 < 100ms", "FAIL"),  # three in four never recovered
        ("mcp.recovery_p50 > 1ms", "FAIL"),
        ("mcp.recovery_p50 < 1ms", "FAIL"),
    ],
)
def test_they_can_be_gated(gate, verdict):
    """The costs of MCP are judged like any other number."""
    events = [
        cell("mcp", [8.0] * 100, kind="event"),
        cell("mcp", [3.0] * 100, kind="gap"),
        cell("mcp", [20.0] * 100, kind="recovery"),
        cell("mcp", [900.0] * 300, kind="recovery", cls="timeout"),
    ]
    bodies = cell("mcp", [10.0] * 100, body_bytes=100 * 20)
    records = [extra(*events, bodies, turn=number) for number in range(6)]
    [result] = report(*records, gates=[gate]).gates
    assert result.verdict == verdict, result.reason


def test_a_gate_on_what_never_came_is_open():
    """Without notifications there is no time to the first; without a list of tools, no tokens."""
    [first] = report(gates=["mcp.first_event_p95 < 100ms"]).gates
    assert first.verdict == "INCONCLUSIVE"
    [second] = build(journal({"mcp": [Round()]}, gates=["mcp.tools_list_tokens < 1k"])).gates
    assert second.verdict == "INCONCLUSIVE"
    assert build(journal({"mcp": [Round()]})).arms["mcp"].context.tools_list_tokens is None


def test_first_events_and_gaps_have_their_times():
    """The calls that brought notifications have these times in addition to their latencies."""
    events = [cell("mcp", [8.0] * 9, kind="event"), cell("mcp", [3.0] * 9, kind="gap")]
    arm = report(extra(*events)).arms["mcp"]
    assert arm.first_event_ms.p50 == pytest.approx(8, rel=0.001)
    assert arm.longest_gap_ms.max == pytest.approx(3)
    assert arm.calls == 600


@pytest.mark.parametrize(
    ("unmeasured", "gate", "verdict", "reason"),
    [
        (0, "mcp.cancel_stop_p95 < 50ms", "PASS", ""),
        (0, "mcp.cancel_stop_p95 < 5ms", "FAIL", "8 ms"),
        (0, "mcp.cancel_stop_max < 50ms", "PASS", ""),
        (1, "mcp.cancel_stop_p95 < 50ms", "PASS", ""),
        (9, "mcp.cancel_stop_p95 < 50ms", "INCONCLUSIVE", "54 of 654 cancelled calls"),
        (9, "mcp.cancel_stop_p90 < 50ms", "PASS", ""),
        (1, "mcp.cancel_stop_max < 50ms", "INCONCLUSIVE", "6 of 606 cancelled calls"),
        (1, "mcp.cancel_stop_mean < 50ms", "INCONCLUSIVE", "6 of 606 cancelled calls"),
        (None, "mcp.cancel_stop_p95 < 50ms", "INCONCLUSIVE", "2025-11-25 or older"),
        (None, "mcp.gap_p95 < 50ms", "INCONCLUSIVE", "could not be measured."),
    ],
)
def test_an_unreported_end_is_longer_than_any(unmeasured, gate, verdict, reason):
    """A percentile is known as long as it falls on a reported end; it is never zero."""
    records = []
    for number in range(6 if unmeasured is not None else 0):
        records.append(extra(cell("mcp", [8.0] * 100, kind="stop"), turn=number))
        if unmeasured:
            late = cell("mcp", [1000.0] * unmeasured, kind="stop", cls="timeout")
            records.append(extra(late, turn=number))
    found = report(*records, gates=[gate])
    assert found.gates[0].verdict == verdict, found.gates[0].reason
    assert reason in found.gates[0].reason
    arm = found.arms["mcp"]
    assert arm.cancel_stops_unmeasured == 6 * (unmeasured or 0)
    assert arm.cancel_stop_ms.max == (pytest.approx(8) if unmeasured == 0 else None)
    assert arm.cancel_stop_ms.p50 == (None if unmeasured is None else pytest.approx(8))
    assert arm.calls == 600


def test_a_report_has_no_percentile_among_unreported_ends():
    """Half of the ends were reported: the median is known, and no higher percentile."""
    known, unmeasured = (
        cell("mcp", [8.0] * 300, kind="stop"),
        cell("mcp", [1000.0] * 300, kind="stop", cls="timeout"),
    )
    times = report(extra(known, unmeasured)).arms["mcp"].cancel_stop_ms
    assert times.p50 == pytest.approx(8)
    assert {times.p90, times.p95, times.p99, times.p99_9, times.mean, times.max} == {None}


@pytest.mark.parametrize("metric", ["first_event", "gap"])
@pytest.mark.parametrize(
    ("unheard", "cls", "name", "verdict"),
    [
        (0, "ok", "p95", "PASS"),
        (0, "ok", "max", "PASS"),
        (5, "ok", "p95", "PASS"),
        (9, "ok", "p95", "INCONCLUSIVE"),
        (9, "timeout", "p95", "INCONCLUSIVE"),
        (9, "interrupted", "p95", "PASS"),
        (9900, "ok", "p50", "INCONCLUSIVE"),
        (1, "ok", "max", "INCONCLUSIVE"),
        (1, "ok", "mean", "INCONCLUSIVE"),
    ],
)
def test_no_gate_passes_by_the_silence_of_calls_that_should_report(
    metric, unheard, cls, name, verdict
):
    """They rank slower than all calls with a notification; calls that we cut off say nothing."""
    heard = [cell("mcp", [8.0] * 100, kind=kind) for kind in ("event", "gap")]
    silent = [cell("mcp", [1.0] * unheard, kind="unheard", cls=cls)] if unheard else []
    records = [extra(*heard, *silent, turn=number) for number in range(6)]
    found = report(*records, gates=[f"mcp.{metric}_{name} < 50ms"])
    [result] = found.gates
    assert result.verdict == verdict, result.reason
    if verdict == "INCONCLUSIVE":
        count = out_of(6 * unheard, 6 * unheard + 600, "call")
        assert f"{count} asked for progress but got none" in result.reason
    arm = found.arms["mcp"]
    assert arm.calls_unheard == (0 if cls == "interrupted" else 6 * unheard)
    times = {"first_event": arm.first_event_ms, "gap": arm.longest_gap_ms}[metric]
    assert getattr(times, name) == result.measured
    assert arm.calls == 600


def test_no_gate_passes_where_nothing_was_heard_at_all():
    """A server that reports nothing has no time to its first notification."""
    silent = cell("mcp", [1.0] * 40, kind="unheard")
    found = report(extra(silent), gates=["mcp.first_event_p50 < 50ms"])
    [result] = found.gates
    assert result.verdict == "INCONCLUSIVE"
    assert "40 of 40 calls" in result.reason


def test_the_interval_of_a_percentile_counts_unreported_ends():
    """The upper end of p95 is the last of 104 calls, but only 100 have a time: it is unknown."""
    parts = cell("mcp", [8.0] * 50, kind="stop"), cell("mcp", [1e3] * 2, kind="stop", cls="timeout")
    records = [extra(*parts, turn=number) for number in range(2)]
    gates = ["mcp.cancel_stop_p95 < 50ms", "mcp.cancel_stop_p90 < 50ms"]
    first, *rest = journal({"mcp": [Round()] * 2}, extra=records, gates=gates)
    wide, known = build([first, *rest]).gates
    assert (wide.verdict, wide.ci95) == ("INCONCLUSIVE", None)
    assert wide.measured == pytest.approx(8)
    assert known.verdict == "PASS"
    assert known.ci95 == pytest.approx((4, 16), rel=0.001)


def test_calls_with_unreported_ends_lie_beyond_a_percentile():
    """19 times and one unreported end are the 20 calls that p95 needs."""
    parts = cell("mcp", [8.0] * 19, kind="stop"), cell("mcp", [1e3], kind="stop", cls="timeout")
    gates = ["mcp.cancel_stop_p95 < 50ms"]
    [gate] = build(journal({"mcp": [Round()]}, extra=[extra(*parts)], gates=gates)).gates
    assert gate.verdict == "INCONCLUSIVE"
    assert "is 8 ms, at least 4" in gate.reason


@pytest.mark.parametrize(("dropped", "verdict"), [(0, "PASS"), (2, "PASS"), (3, "INCONCLUSIVE")])
def test_drops_count_in_addition_to_unreported_ends(dropped, verdict):
    """90 of 98 ends were reported: p90 is known with two more drops, but not with three."""
    parts = cell("mcp", [8.0] * 90, kind="stop"), cell("mcp", [1e3] * 8, kind="stop", cls="timeout")
    records = journal(
        {"mcp": [Round(planned=100 + dropped, dropped=dropped)] * 6},
        extra=[extra(*parts, turn=number) for number in range(6)],
        gates=["mcp.cancel_stop_p90 < 50ms"],
    )
    [gate] = build(records).gates
    assert gate.verdict == verdict, gate.reason


def test_calls_that_recovered_from_a_lost_session_have_their_times():
    """Only calls that ended ok, in addition to the latencies; without them there is no time."""
    recovered = cell("mcp", [20.0, 40.0], kind="recovery")
    failed = cell("mcp", [9000.0], kind="recovery", cls="timeout")
    arm = report(extra(recovered, failed)).arms["mcp"]
    assert (arm.recovery_ms.mean, arm.recovery_ms.max) == pytest.approx((30, 40))
    assert arm.calls == 600
    assert report().arms["mcp"].recovery_ms.p50 is None
    [gate] = report(gates=["mcp.recovery_p95 < 100ms"]).gates
    assert gate.verdict == "INCONCLUSIVE"


def test_setting_up_sessions_has_its_own_times():
    """By request, over the whole run, and not in any other number."""
    opening = cell("mcp", [4.0, 6.0], name="initialize")
    arm = report(extra(opening, turn=-1)).arms["mcp"]
    assert arm.setup["initialize"].count == 2
    assert arm.setup["initialize"].latency_ms.mean == pytest.approx(5)
    assert (arm.setup_calls, arm.calls) == (2, 600)

"""An arm's numbers for the document: over all measured rounds, by step, journey and round."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document import document
from mcp_perf.results.document.comparison import Comparison, Drift
from mcp_perf.results.document.target_numbers import ContextNumbers, Memory, ResourceNumbers
from mcp_perf.results.report.parts import PartKey
from mcp_perf.results.report.upstream import upstream_numbers
from mcp_perf.results.tally import metrics
from mcp_perf.results.tally.arm_facts import REFUSED, latency, losses, sharing, unsampled
from mcp_perf.results.tally.groups import CALL, JOURNEY, Group, Tally
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.results.tally.turns import RecordedTurn

_OF_ROUNDS: Final = (
    *("planned", "dropped", "calls", "journeys_done", "throughput_per_s", "calls_per_s"),
)
_OF_ARMS: Final = (
    *("success_rate", "availability", "rate_limited_rate", "admitted_per_s"),
    *("session_loss_rate", "healed_rate", "strays", "stray_rate", "bytes_per_journey"),
)
"""Numbers that the document and the totals name alike; arms have those in `_OF_ROUNDS`, too."""


def arm_numbers(
    tally: RunTally,
    arm: str,
    totals: Totals,
    by_turn: Mapping[int, Totals],
    drift: Sequence[Drift],
    compared: Mapping[PartKey, Comparison],
    capacity: document.Capacity | None = None,
) -> document.ArmNumbers:
    """Return the numbers of an arm: `totals` over its measured rounds, and turn by turn."""
    described = tally.run.arms.get(arm, {})
    calls, lost, turns = totals.call.all, losses(tally, arm), tally.turns_of(arm)
    warmup = sum(by_turn[one.started.turn].calls for one in turns if one.started.phase == "warmup")
    return document.ArmNumbers(
        target=described.get("target", ""),
        server=described.get("server", ""),
        protocol=described.get("protocol", ""),
        classes=_classes(totals.call),
        service_ms=_service(totals.call.ok),
        **_numbers(totals),
        **{name: getattr(totals, name) for name in _OF_ARMS},
        lag_ms=latency(totals.start.all),
        warmup_calls=warmup,
        setup=_setup(tally, arm),
        context=_context(described, totals),
        first_event_ms=_ranked(totals, metrics.EVENT_PREFIX),
        longest_gap_ms=_ranked(totals, metrics.GAP_PREFIX),
        calls_unheard=totals.unheard,
        recovery_ms=latency(totals.recovery.ok),
        cancel_stop_ms=_ranked(totals, metrics.STOP_PREFIX),
        cancel_stops_unmeasured=totals.stops_unmeasured,
        setup_calls=sum(n for (of_arm, _), n in tally.setup.items() if of_arm == arm),
        sessions_lost=lost.total() - lost[REFUSED],
        sessions_lost_by=dict(lost),
        bytes_in=calls.bytes_in,
        bytes_out=calls.bytes_out,
        resources=_resources(tally, arm, totals),
        sessions=tally.sessions.of_arm(arm, sharing(tally, arm)),
        upstream=upstream_numbers(tally, arm, totals.journeys_done),
        journeys={
            name: _step(
                group, totals.per_second(JOURNEY, name), compared.get((arm, "journeys", name))
            )
            for name, group in sorted(totals.journeys.items())
        },
        steps={
            name: _step(group, totals.per_second(CALL, name), compared.get((arm, "steps", name)))
            for name, group in sorted(totals.steps.items())
        },
        rounds=[_round(turn, by_turn) for turn in turns],
        percentile_curve=totals.call.ok.curve_ms(),
        drift=list(drift),
        capacity=capacity,
    )


def _setup(tally: RunTally, arm: str) -> dict[str, document.StepNumbers]:
    groups: dict[str, list[tuple[str, Tally]]] = {}
    for (of_arm, name, cls), part in tally.setup_parts.items():
        if of_arm == arm:
            groups.setdefault(name, []).append((cls, part))
    return {name: _step(Group(parts), None) for name, parts in sorted(groups.items())}


def _context(described: Mapping[str, Any], totals: Totals) -> ContextNumbers:
    size = described.get("tools_list_bytes", 0)
    if not size:
        return ContextNumbers()
    return ContextNumbers(
        tools=described.get("tools", 0),
        tools_list_bytes=size,
        tools_list_tokens=metrics.tokens(size),
        result_tokens=totals.result_tokens,
        estimator=metrics.ESTIMATOR,
    )


def _resources(tally: RunTally, arm: str, totals: Totals) -> ResourceNumbers:
    usage, growth = totals.usage, totals.usage.growth
    if not usage.sampled:
        return ResourceNumbers(why_not=unsampled(tally, arm) or "It could not be read.")
    most = usage.most
    return ResourceNumbers(
        source=tally.run.arms.get(arm, {}).get("resources", {}).get("source", ""),
        cpu=usage.cpu,
        cpu_per_journey_ms=totals.cpu_per_journey_ms,
        rss_bytes=Memory(
            start=usage.start_rss, max=most(lambda turn: turn.max_rss), end=usage.end_rss
        ),
        growth_per_hour=growth.per_hour,
        growth_ci95=growth.ci95,
        growth_why_not=growth.why_not,
        threads=most(lambda turn: turn.max_threads),
        fds=most(lambda turn: turn.max_fds),
        processes=most(lambda turn: turn.max_processes),
    )


def _classes(group: Group) -> dict[str, int]:
    return dict.fromkeys(CLASSES, 0) | group.classes


def _ranked(totals: Totals, prefix: str) -> document.Latency:
    """Return the numbers that gates judge: null if one falls on a call that has no time."""
    times = {name: totals.value(prefix + name) for name in document.TIMES}
    return document.Latency(n=totals.ranked(prefix + "p50").n, **times)


def _numbers(totals: Totals) -> dict[str, Any]:
    return {
        **{name: getattr(totals, name) for name in _OF_ROUNDS},
        "error_rate": totals.call.error_rate,
        "latency_ms": latency(totals.call.ok),
        "failed_ms": latency(totals.call.failures),
        "journey_ms": latency(totals.journey.ok),
        "ranked_ms": _unless_ok(totals, ""),
        "ranked_journey_ms": _unless_ok(totals, metrics.JOURNEY_PREFIX),
    }


def _unless_ok(totals: Totals, prefix: str) -> document.Latency | None:
    ranked = totals.ranked(prefix + "p50")
    return _ranked(totals, prefix) if ranked.failures.n or ranked.cut_off.n else None


def _service(tally: Tally) -> document.Latency | None:
    """Return the times from the actual send; None if they are the latencies."""
    service = tally.service
    if service is tally.latency:
        return None
    found = service.percentiles([*metrics.FRACTIONS.values(), 1.0])
    names = [*metrics.FRACTIONS, "max"]
    numbers = {name: ns / 1e6 for name, ns in zip(names, found, strict=True) if ns is not None}
    return document.Latency(n=tally.n, mean=tally.service_total_ns / tally.n / 1e6, **numbers)


def _step(
    group: Group, per_second: float | None, compared: Comparison | None = None
) -> document.StepNumbers:
    return document.StepNumbers(
        count=group.all.n,
        error_rate=group.error_rate,
        per_second=per_second,
        classes=_classes(group),
        latency_ms=latency(group.ok),
        failed_ms=latency(group.failures),
        service_ms=_service(group.ok),
        bytes_in=group.all.bytes_in,
        bytes_out=group.all.bytes_out,
        schema_checked=group.all.checked,
        schema_unchecked=group.all.unchecked,
        schema_violation_rate=group.violation_rate,
        compared=compared,
    )


def _round(turn: RecordedTurn, by_turn: Mapping[int, Totals]) -> document.RoundNumbers:
    totals = by_turn[turn.started.turn]
    return document.RoundNumbers(
        round=turn.started.round,
        phase=turn.started.phase,
        order=list(by_turn).index(turn.started.turn),
        at_s=turn.started.at_s,
        seconds=turn.seconds,
        users=turn.started.users,
        rate_per_s=turn.started.rate or None,
        **_numbers(totals),
        cpu=totals.usage.cpu,
        rss_bytes=turn.usage.rss,
    )

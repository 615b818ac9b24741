"""Documents to render: a realistic run, and inputs that a rendering must survive.

Numbers are drawn from a seeded generator: plausible, always the same, and never measured.
"""

import math
import random
from typing import Any

from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import (
    ArmNumbers,
    Failure,
    GateResult,
    Generator,
    Latency,
    Report,
    ResourcePoint,
    RoundNumbers,
    StepNumbers,
    StepReplies,
    TimelinePoint,
)
from mcp_perf.results.document.target_numbers import Memory, ResourceNumbers
from mcp_perf.results.journal.records import SampleRecord

HOSTILE = (
    "<script>document.title='owned'</script> \"'><img src=x onerror=alert(1)>"
    " {{ 7*7 }} `tick` |pipe| [link](javascript:alert(1)) @team #1"
    " \x00\x07\x1b[31m\x85\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd &amp; ]]> -- \r\n=1+1"
)
FRACTIONS = [
    *(i / 100 for i in range(90)),
    *(1 - 10 ** -(1 + i / 20) for i in range(60)),
    1.0,
]


def because(*texts: str) -> list[dict[str, str]]:
    """Give reasons with these sentences."""
    return [{"code": "gate_failed", "text": text} for text in texts]


def quantile(median_ms: float, fraction: float) -> float:
    """Give a log-normal latency with a heavy tail, in ms."""
    x = -math.log10(max(1 - fraction, 1e-4))
    return median_ms * (0.62 + 0.78 * x + 0.16 * x**2.6)


def latency(median_ms: float) -> Latency:
    """Give the numbers of that distribution."""
    at = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
    values = {name: quantile(median_ms, fraction) for name, fraction in at.items()}
    return Latency(mean=median_ms * 1.13, **values)


def step(count: int, median_ms: float, failed: dict[str, int] | None = None) -> StepNumbers:
    """Give the numbers of one step or journey."""
    classes = dict.fromkeys(CLASSES, 0) | {"ok": count - sum((failed or {}).values())}
    classes |= failed or {}
    return StepNumbers(
        count=count,
        error_rate=sum((failed or {}).values()) / count,
        per_second=count / 40,
        classes=classes,
        latency_ms=latency(median_ms),
        service_ms=latency(median_ms * 0.97),
        bytes_in=count * 1834,
        bytes_out=count * 412,
    )


def _round(
    order: int, number: int, median_ms: float, turn_s: float, seed: random.Random
) -> RoundNumbers:
    noise = seed.gauss(1, 0.02)
    warmup = number == 0
    return RoundNumbers(
        round=number,
        phase="warmup" if warmup else "round",
        order=order,
        at_s=order * turn_s,
        seconds=turn_s * 0.94,
        calls=int(20_000 / median_ms * noise),
        journeys_done=int(9_900 / median_ms * noise),
        throughput_per_s=1_960 / median_ms * noise,
        calls_per_s=3_940 / median_ms * noise,
        error_rate=0.0008 * noise,
        latency_ms=latency(median_ms / noise),
        journey_ms=latency(2.2 * median_ms / noise),
    )


def arm(name: str, median_ms: float, rounds: list[RoundNumbers]) -> ArmNumbers:
    """Give an arm that calls two steps and loses a few calls."""
    calls = sum(turn.calls for turn in rounds if turn.phase == "round")
    failed = {"tool_error": 31, "timeout": 4, "http_error": 7} if name != "control" else {}
    call = "tools/call TwilioApiV2010--" if name != "control" else "GET /2010-04-01/Accounts/"
    return ArmNumbers(
        target=f"http://127.0.0.1:43121/{name}",
        server="" if name == "control" else "twilio-mcp 1.4.0",
        protocol="" if name == "control" else "2026-07-28",
        calls=calls,
        journeys_done=calls // 2,
        error_rate=sum(failed.values()) / calls,
        success_rate=1 - sum(failed.values()) / calls * 2,
        throughput_per_s=1_960 / median_ms,
        calls_per_s=3_940 / median_ms,
        classes=dict.fromkeys(CLASSES, 0)
        | {"ok": calls - sum(failed.values()), "interrupted": 3}
        | failed,
        latency_ms=latency(median_ms),
        service_ms=latency(median_ms * 0.97),
        journey_ms=latency(median_ms * 2.2),
        planned=calls + 12,
        dropped=12 if failed else 0,
        warmup_calls=812,
        setup_calls=40,
        sessions_lost=1 if failed else 0,
        bytes_in=calls * 1_834,
        bytes_out=calls * 412,
        bytes_per_journey=4_492,
        resources=RESOURCES.get(name, ResourceNumbers(why_not="10.0.0.7 is not this machine.")),
        journeys={
            "buy-number": step(calls // 4, median_ms * 2.3, failed),
            "send-message": step(calls // 6, median_ms * 1.4),
        },
        steps={
            f"{call}ListAvailablePhoneNumberLocal": step(calls // 2, median_ms * 0.8),
            f"{call}CreateIncomingPhoneNumber": step(calls // 4, median_ms * 1.5, failed),
            f"{call}CreateMessage": step(calls // 4, median_ms),
        },
        rounds=rounds,
        percentile_curve=[(f, quantile(median_ms, f)) for f in FRACTIONS],
    )


RESOURCES = {
    "control": ResourceNumbers(
        source="twilio-upstream",
        cpu=0.266,
        cpu_per_journey_ms=0.281,
        rss_bytes=Memory(start=32_000_000, max=62_000_000, end=61_900_000),
        growth_per_hour=0.031,
        growth_ci95=(-0.012, 0.074),
        threads=2,
        fds=35,
        processes=1,
    ),
    "mcp": ResourceNumbers(
        source="twilio-mcp, twilio-upstream",
        cpu=1.31,
        cpu_per_journey_ms=4.44,
        rss_bytes=Memory(start=121_000_000, max=143_000_000, end=143_000_000),
        growth_per_hour=1.4,
        growth_why_not="8 rounds over 50 s do not show whether memory grows. Run longer.",
        threads=4,
        fds=None,
        processes=2,
    ),
}


def resources(points: list[TimelinePoint]) -> list[ResourcePoint]:
    """Give the resources of the two usual arms at the points of a timeline."""
    return [
        ResourcePoint(
            at_s=point.at_s,
            seconds=1,
            arm=point.arm,
            phase=point.phase,
            cpu=None if i == 7 else RESOURCES[point.arm].cpu * (0.9 + i % 3 / 10),
            rss_bytes=round(RESOURCES[point.arm].rss_bytes.start) + 30_000 * i,
            threads=3,
            fds=None,
        )
        for i, point in enumerate(points)
        if point.arm in RESOURCES
    ]


def turns(names: list[str], rounds: int) -> list[tuple[str, int]]:
    """Give arms and round numbers in the order A B, B A, A B …, the warm-up first."""
    order = [(name, 0) for name in names]
    for number in range(1, rounds + 1):
        order += [(name, number) for name in (names if number % 2 else names[::-1])]
    return order


def timeline(rounds: dict[str, list[RoundNumbers]], medians: dict[str, float]) -> Any:
    """Give a point a second in each turn."""
    seed = random.Random(7)
    return [
        TimelinePoint(
            at_s=turn.at_s + second,
            seconds=1,
            arm=name,
            phase=turn.phase,
            calls_per_s=3_940 / medians[name] * seed.gauss(1, 0.03),
            errors_per_s=0.0 if name == "control" else max(0.0, seed.gauss(0.2, 1.2)),
            p50_ms=medians[name] * seed.gauss(1, 0.03),
            p95_ms=quantile(medians[name], 0.95) * seed.gauss(1, 0.08),
        )
        for name, turns_of_arm in rounds.items()
        for turn in turns_of_arm
        for second in range(5)
    ]


def comparisons(names: list[str]) -> list[Comparison]:
    """Compare every other arm with the first."""
    rows: list[tuple[str, float, tuple[float, float], float, float, list[str]]] = [
        ("throughput", 0.47, (0.461, 0.482), 0.008, 1.031, []),
        ("p50", 2.13, (2.05, 2.19), 0.008, 1.028, []),
        ("p95", 2.21, (1.98, 2.44), 0.008, 1.12, []),
        ("p99", 1.07, (0.81, 1.42), 0.41, 1.36, ["8 rounds are few for p99: 20 would do"]),
        ("journey_p50", 1.02, (0.994, 1.047), 0.23, 1.041, []),
    ]
    return [
        Comparison(
            metric=metric,
            arm=name,
            versus=names[0],
            ratio=ratio,
            ci95=ci95,
            p_value=p,
            effect_needed=needed,
            warnings=warnings,
        )
        for name in names[1:]
        for metric, ratio, ci95, p, needed, warnings in rows
    ]


GATES = [
    GateResult(
        gate="mcp.error_rate < 0.1%",
        measured=0.00692,
        unit="fraction",
        verdict="FAIL",
        reason="42 of 6 070 calls failed, most often tool_error in CreateIncomingPhoneNumber",
    ),
    GateResult(
        gate="mcp.p95 < 200ms", measured=51.62, unit="ms", ci95=(48.1, 54.9), verdict="PASS"
    ),
    GateResult(
        gate="mcp.journey_p50 <= 3x control",
        measured=2.13,
        unit="x",
        ci95=(2.05, 2.19),
        verdict="PASS",
    ),
    GateResult(
        gate="mcp.p99 <= 1.2x control",
        measured=1.07,
        unit="x",
        ci95=(0.81, 1.42),
        verdict="INCONCLUSIVE",
        reason="the interval 0.81x to 1.42x holds the bound 1.2x; about 20 rounds would decide",
    ),
]

ENVIRONMENT: dict[str, Any] = {
    "python": "3.12.4",
    "locust": "2.47.1",
    "mcp_perf": "0.1.0",
    "cpu": "AMD EPYC 7763, 2 cores",
    "system": {"os": "Linux 6.8", "memory_gb": 7.7},
    "load": {
        "model": "closed",
        "shape": "constant",
        "users": 20,
        "rounds": 8,
        "round_s": 5.0,
        "think_s": [0, 0],
    },
    "simulated": ["Twilio's API (bundled, answers in 2 ms)", "the network (loopback)"],
}


def report(
    names: tuple[str, ...] = ("control", "mcp"),
    rounds: int = 8,
    turn_s: float = 5.4,
    **changes: Any,
) -> Report:
    """Build a run of the arms; `changes` replace whole fields of the document."""
    seed = random.Random(42)
    medians = {name: 12.4 * (1 + 1.13 * (i % 3)) for i, name in enumerate(names)}
    by_arm: dict[str, list[RoundNumbers]] = {name: [] for name in names}
    for order, (name, number) in enumerate(turns(list(names), rounds)):
        by_arm[name].append(_round(order, number, medians[name], turn_s, seed))
    fields: dict[str, Any] = {
        "scenario": "twilio-tasks",
        "title": "Three Twilio tasks, by REST (control) and through MCP tools (mcp)",
        "run_id": "twilio-tasks-20261121T093000Z",
        "started": "2026-11-21T09:30:00Z",
        "duration_s": turn_s * len(names) * (rounds + 1),
        "verdict": "FAIL",
        "exit_code": 99,
        "complete": True,
        "reasons": because(
            "mcp.error_rate is 0.692 %, which is not < 0.1%: 42 of 6 070 calls failed."
        ),
        "arms": {name: arm(name, medians[name], by_arm[name]) for name in names},
        "comparisons": comparisons(list(names)),
        "gates": GATES,
        "generator": Generator(
            cpu_percent=43.2,
            cpu_us_per_call=34.1,
            late_starts=12,
            loop_lag_p99_ms=0.84,
            processes=1,
            workers_lost=[],
        ),
        "environment": ENVIRONMENT,
        "timeline": timeline(by_arm, medians),
        "resources": resources(timeline(by_arm, medians)),
        "failures": failures(),
        "replies": replies(),
        "notes": ["1 session of mcp was lost and opened again."],
    }
    return Report(**(fields | changes))


def failures() -> list[Failure]:
    """Give a failure of each common kind."""
    name = "tools/call TwilioApiV2010--CreateIncomingPhoneNumber"
    example = (
        '{"isError":true,"content":[{"type":"text","text":"HTTP 429 Too Many Requests: '
        'retry after 1 s (request 8f14e45f)"}]}'
    )
    return [
        Failure(arm="mcp", step=name, cls="tool_error", count=31, example=example),
        Failure(arm="mcp", step=name, cls="http_error", count=7, example="503 Service Unavailable"),
        Failure(arm="mcp", step=name, cls="timeout", count=4, example="no answer within 10 s"),
    ]


def replies() -> list[StepReplies]:
    """Give the first replies of a step; some look like errors."""
    name = "tools/call TwilioApiV2010--CreateIncomingPhoneNumber"
    remark = "30 % of the ok answers of mcp look like errors (19 of 64 that were looked at)."
    good = '{"content":[{"type":"text","text":"done"}]}'
    return [
        StepReplies(
            arm="mcp",
            step=name,
            first={"ok": good, "tool_error": '{"isError":true,"content":[]}'},
            looked=64,
            like_errors=19,
            remarks=[remark],
        )
    ]


def samples() -> list[SampleRecord]:
    """Give one good call and one failed call."""
    common: dict[str, Any] = {"arm": "mcp", "journey": "buy-number", "bytes_in": 1834}
    return [
        SampleRecord(
            turn=3,
            at_s=16.25,
            step="tools/call ListAvailablePhoneNumberLocal",
            cls="ok",
            latency_ns=26_412_007,
            service_ns=26_001_000,
            bytes_out=412,
            **common,
        ),
        SampleRecord(
            turn=3,
            at_s=16.5,
            step="tools/call CreateIncomingPhoneNumber",
            cls="tool_error",
            latency_ns=61_000_000,
            service_ns=61_000_000,
            bytes_out=388,
            detail="HTTP 429 Too Many Requests",
            **common,
        ),
    ]


def empty(verdict: str = "INVALID", **changes: Any) -> Report:
    """Build a run in which nothing was measured: every nullable number is null."""
    rates = ("error_rate", "success_rate", "throughput_per_s", "calls_per_s")
    counts = ("calls", "journeys_done", "planned", "dropped", "warmup_calls", "setup_calls")
    untouched = ArmNumbers(
        target="",
        protocol="",
        **dict.fromkeys(rates),
        **dict.fromkeys((*counts, "sessions_lost", "bytes_in", "bytes_out"), 0),
        classes={},
        **dict.fromkeys(("latency_ms", "service_ms", "journey_ms"), Latency()),
        journeys={},
        steps={},
        rounds=[],
        percentile_curve=[],
    )
    measured = ("cpu_percent", "cpu_us_per_call", "loop_lag_p99_ms")
    unknown = Generator(
        **dict.fromkeys(measured), late_starts=0, processes=0, workers_lost=["worker-2"]
    )
    compared = Comparison(
        metric="p95",
        arm="mcp",
        versus="control",
        ratio=None,
        ci95=None,
        p_value=None,
        effect_needed=None,
        warnings=["mcp made no call"],
    )
    judged = GateResult(gate="mcp.p95 < 200ms", measured=None, unit="ms", verdict="INVALID")
    bare: dict[str, Any] = {
        "verdict": verdict,
        "exit_code": 92,
        "complete": False,
        "reasons": [],
        "arms": {"mcp": untouched},
        "comparisons": [compared],
        "gates": [judged],
        "generator": unknown,
        "environment": {},
        "timeline": [],
        "resources": [],
        "failures": [],
        "replies": [],
        "notes": [],
    }
    return report(**(bare | changes))


def _poison(value: Any, text: str) -> Any:
    """Put the text in place of every string, and into every key."""
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return {f"{key} {text}": _poison(inner, text) for key, inner in value.items()}
    return [_poison(inner, text) for inner in value] if isinstance(value, list) else value


def hostile(text: str = HOSTILE) -> Report:
    """Build a run with the text in every place that a stranger controls."""
    plain = report().model_dump(by_alias=True)
    for name in ("scenario", "title", "run_id", "started", "notes", "environment"):
        plain[name] = _poison(plain[name], text)
    plain["reasons"] = because(text)
    plain["environment"]["simulated"] = [text]
    plain["generator"]["workers_lost"] = [text]
    arms = {name: f"{name} {text}" for name in plain["arms"]}
    for measured in plain["arms"].values():
        measured |= {"target": text, "server": text, "protocol": text}
        measured["resources"] |= {"source": text, "why_not": text, "growth_why_not": text}
        for part in ("steps", "journeys", "classes"):
            measured[part] = {f"{key} {text}": inner for key, inner in measured[part].items()}
    plain["arms"] = {arms[name]: measured for name, measured in plain["arms"].items()}
    for row in [*plain["comparisons"], *plain["timeline"], *plain["failures"], *plain["resources"]]:
        row |= {key: arms[row[key]] for key in ("arm", "versus") if key in row}
    for row in plain["comparisons"]:
        row |= {"metric": text, "warnings": [text]}
    for row in plain["replies"]:
        row |= {"arm": arms[row["arm"]], "step": text, "first": {"ok": text, text: text}}
        row |= {"remarks": [text]}
    for row in plain["gates"]:
        row |= {"gate": text, "unit": text, "reason": text}
    for row in plain["failures"]:
        row |= {"step": text, "cls": text, "example": text}
    return Report.model_validate(plain)


def long_run(seconds: int = 7200) -> Report:
    """Build a run of two hours: one point a second for each of two arms, one slow second each."""
    points = [
        TimelinePoint(
            at_s=second + i / 2,
            seconds=0.5,
            arm=name,
            phase="round",
            calls_per_s=300 + second % 7,
            errors_per_s=0,
            p50_ms=12.0,
            p95_ms=9_876.0 if second == 4_321 else 20.0 + second % 11,
        )
        for second in range(seconds)
        for i, name in enumerate(("control", "mcp"))
    ]
    changes = {"timeline": points, "resources": resources(points)}
    return report(rounds=200, turn_s=seconds / 402, **changes)

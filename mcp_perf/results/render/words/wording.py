"""What the words of a report mean, in one sentence each; shared by every rendering."""

import re
from collections.abc import Mapping
from typing import Final

from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.render.words.numbers import count, significant

VERDICTS: Final[Mapping[VerdictName, str]] = {
    "PASS": "The target did what was asked of it.",
    "FAIL": "The target did not do what was asked of it.",
    "INCONCLUSIVE": "There is not enough evidence to pass or to fail.",
    "INVALID": "The measurement itself is broken: these numbers say nothing about the target.",
}

CLASSES: Final[Mapping[str, str]] = {
    "ok": "the call did what it should",
    "tool_error": "the tool answered with isError",
    "rpc_error": "the server answered with a JSON-RPC error",
    "http_error": "the server answered with an HTTP error",
    "transport_error": "the connection failed",
    "timeout": "no answer in time",
    "check_failed": "the answer did not meet an expectation or its schema",
    "rate_limited": "the server refused it because it was asked too often",
    "interrupted": "cut off by the end of the run; counts for nobody",
    "harness_error": "our own fault; never counts against the target",
}

INCOMPLETE: Final = "The run was cut off: the numbers cover only what was recorded before that."

_METRICS: Final[Mapping[str, str]] = {
    "throughput": "journeys completed with every step ok, per second",
    "calls_per_s": "calls per second",
    "capacity": "the highest rate of journeys that holds",
    "error_rate": "failed calls among all that ended",
    "rate_limited_rate": "calls refused because they came too often, of all that ended",
    "admitted_per_s": "calls per second that were not refused so",
    "session_loss_rate": "calls that found their session lost, of all that ended",
    "healed_rate": "calls that had something to mend, such as a lost session, of all that ended",
    "success_rate": "journeys in which every step was ok",
    "stray_rate": "what came for no call, over the calls that ended",
    "dropped": "planned starts that never happened",
    "mean": "mean time of a call",
    "max": "longest time of a call",
    "first_event_mean": "mean time to the first notification of a call",
    "first_event_max": "longest time to the first notification of a call",
    "gap_mean": "mean of the longest silence of a call after its first notification",
    "gap_max": "longest silence of a call after its first notification",
    "cancel_stop_mean": "mean time from cancelling a call to its end at the server",
    "cancel_stop_max": "longest time from cancelling a call to its end at the server",
    "recovery_mean": "mean time of a call that lost its session",
    "recovery_max": "longest time of a call that lost its session",
    "tools_list_tokens": "what tools/list costs a model's context, an estimate",
    "result_tokens": "what the mean answer costs a model's context, an estimate",
    "bytes_per_journey": "received and sent, for each journey with every step ok",
    "cpu": "of one core; more than 100 % where several are used",
    "cpu_per_journey": "CPU time of the target, for each journey with every step ok",
    "drift": "how far journey_p50 or throughput moved over the rounds",
    "rss": "resident memory, the most",
    "rss_growth_per_hour": "slope of the resident memory over the run, 95 % interval",
    "threads": "the most",
    "fds": "open file descriptors, the most",
    "sessions": "open at once, the most",
    "session_kib": "resident memory of the target for each session, 95 % interval",
}
_PERCENTILE: Final = re.compile(
    r"(?:(journey|service|first_event|gap|cancel_stop|recovery)_)?p(\d+(?:_\d+)?)"
)
_TIMED: Final = {
    None: "time of a call",
    "journey": "time of a whole journey",
    "service": "time of a call from its actual send",
    "first_event": "time to the first notification of a call",
    "gap": "longest silence of a call after its first notification",
    "cancel_stop": "time from cancelling a call to its end at the server",
    "recovery": "time of a call that lost its session",
}


def metric(name: str) -> str:
    """Explain a metric in a few words; an unknown name needs none and gets an empty string."""
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is None:
        return _METRICS.get(name, "")
    timed, rank = percentile.groups()
    return f"{_TIMED[timed]}, percentile {rank.replace('_', '.')}"


def summary(report: Report) -> str:
    """Say in one sentence what the verdict means."""
    if report.verdict == "PASS" and not report.gates:
        return "The measurement is sound; the scenario sets no gates."
    return VERDICTS[report.verdict]


def plain(value: object) -> str:
    """Write a value of the environment as a reader would: no braces, no quotes."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def simulated(report: Report) -> list[str]:
    """Name what was simulated in this run instead of being the real thing."""
    named = report.environment.get("simulated") or []
    return [plain(item) for item in (named if isinstance(named, list | tuple) else [named])]


def upstreams(report: Report) -> list[str]:
    """Say for each arm what the simulated providers counted: the cause of much that it costs."""
    return [
        f"{name} asked its upstreams {significant(use.requests_per_journey)} times a journey, over "
        f"{significant(use.connections_per_journey)} new connections, at most "
        f"{count(use.max_in_parallel)} at once"
        for name, arm in report.arms.items()
        if (use := arm.upstream) is not None
    ]

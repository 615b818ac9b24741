"""The summary of the arms as rows: what is said of an arm, in which order and units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document import target_numbers as target
from mcp_perf.results.document.document import TIMES, ArmNumbers, Latency
from mcp_perf.results.render.words import numbers, wording
from mcp_perf.results.tally.tokens import ESTIMATOR

Read = Callable[[ArmNumbers], str]
MANY_SESSIONS: Final = 100
"""From so many on, the memory of a session is written without an interval as well."""


@dataclass(frozen=True)
class Row:
    """One line of the summary: `cells` stand in the order of the arms."""

    label: str
    gloss: str
    cells: tuple[str, ...]


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _times(prefix: str, read: Callable[[ArmNumbers], Latency]) -> dict[str, Read]:
    """Read each number of one kind of time; a closure binds the field's name."""

    def field(name: str) -> Read:
        return lambda arm: numbers.ms(getattr(read(arm), name))

    return {prefix + name: field(name) for name in TIMES}


def _upstream(read: Callable[[target.UpstreamNumbers], float | None]) -> Read:
    return lambda arm: numbers.significant(None if arm.upstream is None else read(arm.upstream))


_LOST: Final = {
    "forgot": "lost: the server no longer knew them",
    "evicted": "lost one by one: the server keeps fewer",
    "restarted": "lost at once: the server had restarted",
    "elsewhere": "lost: requests reach another process than the one that keeps them",
    "refused": "never opened: the server has as many as it takes",
}


def _lost(kind: str) -> Read:
    return lambda arm: numbers.count(arm.sessions_lost_by.get(kind))


_GROUPS: Final[Mapping[str, Mapping[str, Read]]] = {
    "Work": {
        "throughput": lambda arm: numbers.rate(arm.throughput_per_s),
        "calls_per_s": lambda arm: numbers.rate(arm.calls_per_s),
        "error_rate": lambda arm: numbers.percent(arm.error_rate),
        "rate_limited_rate": lambda arm: numbers.percent(arm.rate_limited_rate or None),
        "admitted_per_s": lambda arm: numbers.rate(
            arm.admitted_per_s if arm.rate_limited_rate else None
        ),
        "session_loss_rate": lambda arm: numbers.percent(arm.session_loss_rate or None),
        "healed_rate": lambda arm: numbers.percent(arm.healed_rate or None),
        "success_rate": lambda arm: numbers.percent(arm.success_rate),
        "journeys_done": lambda arm: numbers.count(arm.journeys_done),
        "calls": lambda arm: numbers.count(arm.calls),
    },
    "Time of a call that was ok": {
        **_times("", lambda arm: arm.latency_ms),
        "calls that were ok": lambda arm: numbers.count(arm.latency_ms.n or None),
    },
    "Time of a call that failed": {
        **_times("", lambda arm: arm.failed_ms),
        "calls that failed": lambda arm: numbers.count(arm.failed_ms.n or None),
    },
    "Time of a call that was ok, from its actual send": _times("", lambda arm: arm.service_ms),
    "Time of a journey with every step ok": _times("journey_", lambda arm: arm.journey_ms),
    "How late journeys began (the generator's own delay)": _times("", lambda arm: arm.lag_ms),
    "What the target used": {
        "cpu": lambda arm: numbers.percent(arm.resources.cpu),
        "cpu_per_journey": lambda arm: numbers.ms(arm.resources.cpu_per_journey_ms),
        "rss": lambda arm: numbers.byte_size(arm.resources.rss_bytes.max),
        "rss at the start": lambda arm: numbers.byte_size(arm.resources.rss_bytes.start),
        "rss at the end": lambda arm: numbers.byte_size(arm.resources.rss_bytes.end),
        "rss_growth_per_hour": lambda arm: growth(arm.resources),
        "threads": lambda arm: numbers.count(arm.resources.threads),
        "fds": lambda arm: numbers.count(arm.resources.fds),
        "processes": lambda arm: numbers.count(arm.resources.processes),
        "bytes_per_journey": lambda arm: numbers.byte_size(arm.bytes_per_journey),
    },
    "Sessions, and the memory held for them": {
        "sessions": lambda arm: numbers.count(arm.sessions.most or None),
        "streams": lambda arm: numbers.count(arm.sessions.streams or None),
        "session_kib": lambda arm: per_session(arm.sessions),
        "rss before the sessions": lambda arm: _held(arm, arm.sessions.rss_before),
        "rss with the most open": lambda arm: _held(arm, arm.sessions.rss_open),
        "rss when they were closed": lambda arm: _held(arm, arm.sessions.rss_after),
        "sessions not closed": lambda arm: numbers.count(arm.sessions.left or None),
    },
    "What the simulated upstreams counted": {
        "upstream requests per journey": _upstream(lambda use: use.requests_per_journey),
        "upstream connections per journey": _upstream(lambda use: use.connections_per_journey),
        "upstream requests at once": _upstream(lambda use: use.max_in_parallel),
    },
    "Time to the first notification of a call": {
        **_times("", lambda arm: arm.first_event_ms),
        "nothing heard": lambda arm: numbers.count(arm.calls_unheard or None),
    },
    "Longest silence of a call after its first notification": _times(
        "gap_", lambda arm: arm.longest_gap_ms
    ),
    "Time from cancelling a call to its end at the server": {
        **_times("cancel_stop_", lambda arm: arm.cancel_stop_ms),
        "not told": lambda arm: numbers.count(arm.cancel_stops_unmeasured or None),
    },
    "Time of a call that lost its session, and recovered": _times(
        "recovery_", lambda arm: arm.recovery_ms
    ),
    "What it costs a model's context (an estimate)": {
        "tools": lambda arm: numbers.count(arm.context.tools or None),
        "tools_list_tokens": lambda arm: numbers.count(_whole(arm.context.tools_list_tokens)),
        "result_tokens": lambda arm: numbers.count(_whole(arm.context.result_tokens)),
    },
    "Around the measurement": {
        "planned": lambda arm: numbers.count(arm.planned),
        "dropped": lambda arm: numbers.count(arm.dropped),
        "warmup_calls": lambda arm: numbers.count(arm.warmup_calls),
        "setup_calls": lambda arm: numbers.count(arm.setup_calls),
        "sessions_lost": lambda arm: numbers.count(arm.sessions_lost),
        **{f"sessions {kind}": _lost(kind) for kind in _LOST},
        "stray_rate": lambda arm: numbers.percent(arm.stray_rate or None),
        "bytes_in": lambda arm: numbers.byte_size(arm.bytes_in),
        "bytes_out": lambda arm: numbers.byte_size(arm.bytes_out),
    },
}
_GLOSSES: Final = {
    "planned": "starts that the load asked for",
    "tools_list_tokens": f"all of tools/list; {ESTIMATOR}",
    "result_tokens": "the mean answer that was ok",
    "nothing heard": "calls that were to report progress, and brought no notification",
    "warmup_calls": "left out of every number above",
    "setup_calls": "opening and closing sessions, listing tools",
    "sessions_lost": "found so by calls",
    **{f"sessions {kind}": gloss for kind, gloss in _LOST.items()},
    "streams": "of sessions (GET), open at once at most",
    "sessions not closed": "when all users had gone",
    "upstream requests per journey": "by their own count; of journeys with every step ok",
    "upstream connections per journey": "opened anew",
    "upstream requests at once": "at most, all upstreams together",
    "bytes_in": "received",
    "bytes_out": "sent",
}


def growth(used: target.ResourceNumbers) -> str:
    """Write the growth of memory by its interval: without one, a slope means nothing."""
    if used.growth_ci95 is None:
        return numbers.NONE
    low, high = (numbers.significant(100 * end) for end in used.growth_ci95)
    return f"{low} to {high}{numbers.THIN}%"


def tells_memory(held: target.SessionNumbers) -> bool:
    """Tell whether the memory of a session says anything: it has an interval, or many sessions."""
    return held.kib_ci95 is not None or (held.most or 0) >= MANY_SESSIONS


def per_session(held: target.SessionNumbers) -> str:
    """Write the memory of a session: by its interval, or, of many, without one."""
    if held.kib_ci95 is not None:
        low, high = (numbers.significant(end) for end in held.kib_ci95)
        return f"{low} to {high}{numbers.THIN}KiB"
    if held.kib is None or not tells_memory(held):
        return numbers.NONE
    return f"{numbers.with_unit(held.kib, 'KiB')}, without an interval"


def _held(arm: ArmNumbers, rss_bytes: int | None) -> str:
    return numbers.byte_size(rss_bytes if arm.sessions.most else None)


def _gloss(group: str, label: str) -> str:
    return _GLOSSES.get(label, "" if group.startswith("Time") else wording.metric(label))


def _of_classes(arms: Sequence[ArmNumbers]) -> list[Row]:
    """Count how the calls ended: the known classes in their order, then any other."""
    others = sorted({name for arm in arms for name in arm.classes} - set(CLASSES))
    return [
        Row(
            name,
            wording.CLASSES.get(name, ""),
            tuple(numbers.count(arm.classes.get(name, 0)) for arm in arms),
        )
        for name in (*CLASSES, *others)
    ]


def groups(arms: Mapping[str, ArmNumbers]) -> dict[str, list[Row]]:
    """Summarize the arms; a row in which no arm has a number is left out, then an empty group."""
    every = list(arms.values())
    summary = {}
    for group, readers in _GROUPS.items():
        rows = [
            Row(label, _gloss(group, label), tuple(read(arm) for arm in every))
            for label, read in readers.items()
        ]
        summary[group] = [row for row in rows if set(row.cells) != {numbers.NONE}]
    summary["How the calls ended"] = _of_classes(every)
    return {group: rows for group, rows in summary.items() if rows}

"""The tables and charts of agents: models, tasks, sessions, and what happened in a session."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mcp_perf import numbers
from mcp_perf.agent.leaderboard import Leaderboard
from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.standings import GroupOfRuns, standings
from mcp_perf.agent.store import AgentSession
from mcp_perf.agent.tasks import MODES
from mcp_perf.dashboard.table import Cells, Column, Table
from mcp_perf.results.document.text import clip, shown

_DETAILS: Final = 300
"""The most characters of a call's details."""
_NUMBERS: Final = (
    Column("sessions", "Sessions", "count"),
    Column("success_rate", "Success rate", "fraction"),
    Column("success_low", "at least", "fraction"),
    Column("success_high", "at most", "fraction"),
    Column("duration_s", "Median time", "s"),
    Column("tokens", "Mean tokens", "count"),
    Column("cost_usd", "Mean cost", "$"),
)
_GROUPS: Final = {
    "mcp_server": Column("server", "Server"),
    "model": Column("model", "Model"),
    "task_id": Column("task", "Task"),
    "mode": Column("mode", "Mode", "arm"),
}


def _standings(title: str, at: str, records: Iterable[TaskRecord], *fields: str) -> Table:
    groups = [_GROUPS[field] for field in fields]
    rows = [
        {
            **dict(one),
            **{column.key: one.of[field] for field, column in zip(fields, groups, strict=True)},
            **_ends("success_low", "success_high", one.success_ci95),
            "cost_usd": one.cost,
        }
        for one in standings(records, *fields)
    ]
    return Table(title, at, (*groups, *_NUMBERS), rows)


def _ends(low: str, high: str, ci95: tuple[float, float] | None) -> Cells:
    return dict(zip((low, high), ci95 or (None, None), strict=True))


def models(records: Iterable[TaskRecord]) -> Table:
    """Return how each model did, by server and mode."""
    return _standings("Models", "/agents/models", records, "model", "mcp_server", "mode")


def tasks(records: Iterable[TaskRecord]) -> Table:
    """Return how each task was done, by mode."""
    table = _standings("Tasks", "/agents/tasks", records, "task_id", "mode")
    return replace(table, rows=sorted(table.rows, key=lambda row: (row["task"], row["mode"])))


def charts(groups: Iterable[GroupOfRuns]) -> list[dict[str, Any]]:
    """Return the charts of tasks, mode by mode: success, time, tokens, cost."""
    in_order = sorted(groups, key=lambda one: one.of["task_id"])
    by_mode = {mode: [one for one in in_order if one.of["mode"] == mode] for mode in MODES}
    return [
        {
            "title": title,
            "kind": "bar",
            "lines": [
                {
                    "name": mode,
                    "arm": arm,
                    "x": [f"Task {one.of['task_id']}" for one in found],
                    "y": [getattr(one, field) for one in found],
                }
                | (_bounds(found) if field == "success_rate" else {})
                for arm, (mode, found) in enumerate(by_mode.items())
                if found
            ],
            "x": {"type": "category"},
            "y": {"title": unit, "rangemode": "tozero"}
            | ({"tickformat": ".0%", "range": [0, 1.02]} if field == "success_rate" else {}),
        }
        for title, field, unit in (
            ("Success rate by task, with its 95 % interval", "success_rate", ""),
            ("Median time by task", "duration_s", "seconds"),
            ("Mean tokens by task", "tokens", "tokens"),
            ("Mean cost by task", "cost", "dollars"),
        )
    ]


def _bounds(found: Sequence[GroupOfRuns]) -> dict[str, list[float | None]]:
    low, high = ([one.success_ci95 and one.success_ci95[end] for one in found] for end in (0, 1))
    return {"low": low, "high": high}


def measures(board: Leaderboard) -> Table:
    """Return the leaderboard, a row for each metric of each group."""
    columns = (
        Column("group", "Group"),
        Column("metric", "Metric"),
        Column("control", "control", "count"),
        Column("mcp", "mcp", "count"),
        Column("change_percent", "Change", "%"),
        Column("low_percent", "at least", "%"),
        Column("high_percent", "at most", "%"),
        Column("p_value", "p", "count"),
        *(Column(f"n_{mode}", f"n ({mode})", "count") for mode in MODES),
    )
    rows = [
        {
            **dict(one),
            "group": group.title,
            **_ends("low_percent", "high_percent", one.change_ci95),
            **{f"n_{mode}": one.spread[mode].n for mode in MODES},
        }
        for group in board.groups
        for one in group.metrics
    ]
    return Table("Leaderboard", "/agents/leaderboard", columns, rows)


_SESSION: Final = (
    Column("started", "Started", link=lambda row: f"/agents/sessions/{row['session']}"),
    Column("mode", "Mode", "arm"),
    Column("task", "Task"),
    Column("model", "Model"),
    Column("server", "Server"),
    Column("client", "Client"),
    Column("outcome", "Outcome"),
    Column("duration_s", "Time", "s"),
    Column("calls", "Calls", "count"),
    Column("tokens", "Tokens", "count"),
    Column("cost_usd", "Cost", "$"),
    Column("session", "Session"),
)


def sessions(found: Iterable[AgentSession]) -> Table:
    """Return the present state of sessions."""
    rows = [
        {
            "started": moment(one.record.start_time),
            "mode": one.record.mode,
            "task": str(one.record.task_id),
            "model": one.record.model,
            "server": one.record.mcp_server,
            "client": one.record.mcp_client,
            "outcome": outcome(one),
            "duration_s": one.record.duration and one.record.duration / 1000,
            "calls": one.record.api_calls,
            "tokens": one.record.total_tokens,
            "cost_usd": one.record.cost,
            "session": one.id,
        }
        for one in found
    ]
    return Table("Sessions", "/agents/sessions", _SESSION, rows)


def outcome(one: AgentSession) -> str:
    """Say how a session ended."""
    if not (one.source or one.record.completed):
        return "going on"
    return {None: "unknown", True: "success", False: "failure"}[one.record.success]


def moment(at_ms: float | None) -> str:
    """Write a time of day, in UTC."""
    if not at_ms:
        return numbers.NONE
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def facts(one: AgentSession) -> dict[str, str]:
    """Return what is known about a session, in words."""
    record = one.record
    return {
        "Session": one.id,
        "Mode": record.mode,
        "Task": str(record.task_id),
        "Model": record.model or numbers.NONE,
        "Server": record.mcp_server or numbers.NONE,
        "Client": record.mcp_client or numbers.NONE,
        "Outcome": outcome(one),
        "Started": moment(record.start_time),
        "Time": numbers.seconds(record.duration and record.duration / 1000),
        "API calls": numbers.count(record.api_calls),
        "Interactions": numbers.count(record.interactions),
        "Tokens": numbers.count(record.total_tokens),
        "Cost": numbers.with_unit(record.cost, "$"),
        "Notes": record.notes or numbers.NONE,
    }


_EVENT: Final = (
    Column("event", "Event"),
    Column("at_s", "After", "s"),
    Column("method", "Method"),
    Column("endpoint", "Endpoint"),
    Column("outcome", "Outcome"),
    Column("duration_ms", "Time", "ms"),
    Column("tokens_in", "Tokens in", "count"),
    Column("tokens_out", "Tokens out", "count"),
    Column("details", "Details"),
)
_EVENTS: Final = {"apiCall": "call", "interaction": "interaction", "complete": "end"}


def events(one: AgentSession, happened: Iterable[Mapping[str, Any]]) -> Table:
    """Return what has happened in a session, in its order."""
    rows = [_event(one.record, event) for event in happened]
    return Table("Calls", f"/agents/sessions/{one.id}", _EVENT, rows)


def _event(record: TaskRecord, event: Mapping[str, Any]) -> Cells:
    details = event.get("details")
    if details is None:
        details = event.get("notes", "")
    text = details if isinstance(details, str) else msgspec.json.encode(details).decode()
    success = event.get("success")
    return {
        "at_s": (event["at"] - (record.start_time or event["at"])) / 1000,
        "event": _EVENTS.get(event["event"], event["event"]),
        "method": event.get("method", event.get("type", "")),
        "endpoint": event.get("endpoint", ""),
        "outcome": "" if success is None else "success" if success else "failure",
        "duration_ms": event.get("durationMs"),
        "tokens_in": event.get("tokensIn"),
        "tokens_out": event.get("tokensOut"),
        "details": clip(shown(text), _DETAILS),
    }

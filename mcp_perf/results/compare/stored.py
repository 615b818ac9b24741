"""What the history knows of its runs: a list of them, the report of each, and how they go."""

import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from mcp_perf.results.compare.history import METRICS, REPORTS, RUNS, HistoryError, opened
from mcp_perf.results.document.document import Report

_SHOWN: Final = ("run_id", "started", "scenario", "verdict", "complete")
_LOOKED_AT: Final = 20
"""Runs, for the arms, tools and metrics of a scenario."""
_LARGEST: Final = 64_000_000
"""Bytes of a report when it is unpacked; whoever else writes to the store may pack far more."""
_OF_REPORT: Final = ("reason", "targets", "duration_s")


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list. What its report says is empty if the history has no report of it."""

    run_id: str
    started: str
    scenario: str
    verdict: str
    complete: bool
    reason: str = ""
    targets: dict[str, str] = {}
    """By arm."""
    duration_s: float | None = None
    has_report: bool = False


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted; an empty field lets all of them pass."""

    scenario: str = ""
    verdict: str = ""
    since: str = ""
    """A time as in `started`, or its beginning."""
    until: str = ""
    """Likewise; the run began before it."""
    text: str = ""
    """In the id, the scenario, the title, the reason or the targets, in upper or lower case."""

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what a row has to meet."""
        if self.scenario:
            yield RUNS.c.scenario == self.scenario
        if self.verdict:
            yield RUNS.c.verdict == self.verdict
        if self.since:
            yield RUNS.c.started >= self.since
        if self.until:
            yield RUNS.c.started < self.until
        if self.text:
            of = REPORTS.c
            columns = (RUNS.c.run_id, RUNS.c.scenario, of.title, of.reason, of.targets)
            yield sa.or_(*(one.icontains(self.text, autoescape=True) for one in columns))


class RunList(NamedTuple):
    """A page of runs, and how many there are in all."""

    runs: list[RunSummary]
    total: int


_ALL: Final = RunFilter()


def runs(store: str, wanted: RunFilter = _ALL, *, limit: int = 50, offset: int = 0) -> RunList:
    """List runs, the youngest first. No report is decoded. Raises HistoryError."""
    both = RUNS.outerjoin(REPORTS, REPORTS.c.run == RUNS.c.id)
    columns = [*(RUNS.c[name] for name in _SHOWN), *(REPORTS.c[name] for name in _OF_REPORT)]
    has_report = REPORTS.c.document.is_not(None).label("has_report")
    conditions = tuple(wanted.conditions())
    page = (
        sa.select(*columns, has_report)
        .select_from(both)
        .where(*conditions)
        .order_by(RUNS.c.started.desc(), RUNS.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    number = sa.select(sa.func.count()).select_from(both if wanted.text else RUNS)
    with opened(store) as connection:
        found = [_summary(row) for row in connection.execute(page).mappings()]
        return RunList(found, connection.execute(number.where(*conditions)).scalar_one())


def scenarios(store: str) -> list[str]:
    """List the scenarios of all runs, in order. Raises HistoryError."""
    named = sa.select(RUNS.c.scenario).distinct().order_by(RUNS.c.scenario)
    with opened(store) as connection:
        return list(connection.execute(named).scalars())


def metrics(store: str, scenario: str) -> list[tuple[str, str]]:
    """List what the youngest runs of a scenario measured, as (arm, metric). Raises HistoryError."""
    youngest = (
        sa.select(RUNS.c.id)
        .where(RUNS.c.scenario == scenario)
        .order_by(RUNS.c.started.desc())
        .limit(_LOOKED_AT)
    )
    named = sa.select(METRICS.c.arm, METRICS.c.metric).distinct()
    named = named.where(METRICS.c.run.in_(youngest)).order_by(METRICS.c.arm, METRICS.c.metric)
    with opened(store) as connection:
        return [(arm, metric) for arm, metric in connection.execute(named)]


def document(store: str, run_id: str) -> Report | None:
    """Return the report of the youngest run of this id, if any. Raises HistoryError."""
    wanted = (
        sa.select(REPORTS.c.document)
        .join(RUNS, RUNS.c.id == REPORTS.c.run)
        .where(RUNS.c.run_id == run_id)
        .order_by(RUNS.c.id.desc())
        .limit(1)
    )
    with opened(store) as connection:
        packed = connection.execute(wanted).scalar()
    if packed is None:
        return None
    try:
        return Report.model_validate_json(zlib.decompressobj().decompress(packed, _LARGEST))
    except (zlib.error, ValueError) as error:
        raise HistoryError(
            f"The history's report of {run_id} cannot be read: it is damaged, or another version "
            "of mcp-perf wrote it. Read it with that version, or run the scenario again."
        ) from error


def prune(store: str, before: str) -> int:
    """Delete runs that began before a time, and return how many.

    The time is written as `started` is. Sessions of agents stay. Raises HistoryError.
    """
    gone = sa.select(RUNS.c.id).where(RUNS.c.started < before)
    number = 0
    with opened(store) as connection:
        for column in (METRICS.c.run, REPORTS.c.run, RUNS.c.id):  # the runs last
            number = connection.execute(sa.delete(column.table).where(column.in_(gone))).rowcount
        connection.commit()
        if number and connection.dialect.name == "sqlite":
            connection.exec_driver_sql("VACUUM")
    return number


def _summary(row: Any) -> RunSummary:
    known = {name: value for name, value in row.items() if value is not None}
    if "targets" in known:
        known["targets"] = msgspec.json.decode(known["targets"])
    return RunSummary(**known)

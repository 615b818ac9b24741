"""The history of runs, in SQLite or PostgreSQL: a row per run, one per metric, and the report.

What is stored can be compared again: values with their intervals, and the identity that runs share
if they did the same. `stored.py` lists runs and reads reports.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from mcp_perf import folders
from mcp_perf.results.document.run_numbers import RunIdentity, RunNumbers
from mcp_perf.results.judge.trial import finds_levels
from mcp_perf.results.stats.rounds import around
from mcp_perf.results.stats.trend import Point

_PATIENCE_S: Final = 30
"""How long a writer waits for another one; runs may end at the same moment."""
_CONNECT_S: Final = 5
_LOCK: Final = 0x6D637072
"""The advisory lock under which PostgreSQL makes the tables: there, IF NOT EXISTS can fail."""

METADATA: Final = sa.MetaData()
RUNS: Final = sa.Table(
    "mcp_perf_runs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("scenario", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Index("mcp_perf_runs_started", "started"),
    sa.Index("mcp_perf_runs_scenario", "scenario", "started"),
    sa.Index("mcp_perf_runs_run_id", "run_id"),
)
METRICS: Final = sa.Table(
    "mcp_perf_metrics",
    METADATA,
    sa.Column("run", sa.Integer, sa.ForeignKey("mcp_perf_runs.id"), primary_key=True),
    sa.Column("arm", sa.Text, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("low", sa.Float),
    sa.Column("high", sa.Float),
)
REPORTS: Final = sa.Table(
    "mcp_perf_reports",
    METADATA,
    sa.Column("run", sa.Integer, sa.ForeignKey("mcp_perf_runs.id"), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("targets", sa.Text, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("document", sa.LargeBinary),
)


class HistoryError(Exception):
    """A store that cannot be used: which, without its password, and why."""


class KeptReport(NamedTuple):
    """What the history keeps of a report: what a list of runs shows, and all of it."""

    title: str
    reason: str
    """The gravest; empty if there is none."""
    targets: dict[str, str]
    """By arm."""
    duration_s: float
    document: bytes | None
    """The report as JSON, compressed by zlib; None if it is too large."""
    parts: Sequence[tuple[str, str, float]] = ()
    """(arm, metric, value) of its tools and steps, such as `tool[search].p95`."""


def append(store: str, run: RunNumbers, report: KeptReport | None = None) -> None:
    """Add a run. Raises HistoryError; nothing is left half written."""
    with connected(store) as engine:
        create(engine, METADATA)
        with engine.begin() as connection:
            row = {key: getattr(run, key) for key in ("run_id", "started", "verdict", "complete")}
            row["scenario"] = run.identity.scenario
            row["identity"] = as_text(run.identity)
            key = connection.execute(sa.insert(RUNS).values(row)).inserted_primary_key
            number = {"run": key[0] if key else None}
            if rows := [number | metric for metric in _metrics(run, report)]:
                connection.execute(sa.insert(METRICS), rows)
            if report is not None:
                row = number | report._asdict() | {"targets": as_text(report.targets)}
                del row["parts"]
                connection.execute(sa.insert(REPORTS).values(row))


def points(store: str, scenario: str = "", metrics: Sequence[tuple[str, str]] = ()) -> list[Point]:
    """Return what is known of a scenario (or of all), the oldest first.

    `metrics` are (arm, metric); an arm of "" is any, and no metrics are all. Raises HistoryError.
    """
    query = (
        sa.select(RUNS, METRICS)
        .join(METRICS, METRICS.c.run == RUNS.c.id)
        .order_by(RUNS.c.started, RUNS.c.id, METRICS.c.arm)
    )
    if scenario:
        query = query.where(RUNS.c.scenario == scenario)
    if metrics:
        of = METRICS.c
        wanted = ([of.metric == name, *([of.arm == arm] if arm else [])] for arm, name in metrics)
        query = query.where(sa.or_(*(sa.and_(*all_of) for all_of in wanted)))
    with connected(store) as engine, engine.connect() as connection:
        if not sa.inspect(connection).has_table(RUNS.name):
            return []
        return [_point(row) for row in connection.execute(query).mappings()]


def as_text(value: object) -> str:
    """Write a value as JSON."""
    return msgspec.json.encode(value).decode()


def _point(row: Any) -> Point:
    kept = {name: row[name] for name in ("run_id", "started", "scenario", "verdict", "complete")}
    kept |= {name: row[name] for name in ("arm", "metric", "value", "low", "high")}
    identity = msgspec.json.decode(row["identity"], type=RunIdentity)
    return Point(**kept, identity=identity, group=row["group_key"])


def _metrics(run: RunNumbers, report: KeptReport | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run; a search for a level has none, because its rounds differed."""
    if finds_levels(run.identity.load):
        return
    groups = {name: _group(run.identity, name) for name in run.arms}
    keys = ("arm", "metric", "group_key", "value", "low", "high")
    for name, arm in run.arms.items():
        for metric, value in arm.values.items():
            low, high = around(value, arm.rounds[metric]) or (None, None)
            yield dict(zip(keys, (name, metric, groups[name], value, low, high), strict=True))
    for name, metric, value in report.parts if report else ():
        yield dict(zip(keys, (name, metric, groups[name], value, None, None), strict=True))


def _group(identity: RunIdentity, arm: str) -> str:
    """Return a digest of what runs must have in common for their numbers of an arm to compare."""
    same = (identity.scenario, identity.workload.get(arm), identity.load, identity.machine)
    return hashlib.sha256(msgspec.json.encode(same, order="sorted")).hexdigest()[:12]


@contextmanager
def connected(store: str) -> Iterator[sa.Engine]:
    """Yield an engine for the store. Raises HistoryError, also for what is done with it."""
    try:
        url = sa.make_url(store)
        sqlite = url.get_backend_name() == "sqlite"
        waits = {"timeout": _PATIENCE_S} if sqlite else {"connect_timeout": _CONNECT_S}
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=waits)
        if sqlite and url.database:
            folders.make(Path(url.database).parent)
        yield engine
    except ImportError as error:
        hint = "pip install 'mcp-perf[postgres]'" if "psycopg" in str(error) else "install it"
        missing = f"The history needs a driver that is missing ({error})"
        raise HistoryError(f"{missing}: {hint}") from error
    except sa.exc.ArgumentError as error:
        wrong = "The address of the history is not the URL of a database"
        hint = "write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        raise HistoryError(f"{wrong}; {hint}") from error
    except (sa.exc.SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        said = " ".join(str(cause).split())
        shown = url.render_as_string(hide_password=True)
        raise HistoryError(f"The history {shown} cannot be used: {said}") from error


@contextmanager
def opened(store: str) -> Iterator[sa.Connection]:
    """Yield a connection to the store, whose tables are made. Raises HistoryError."""
    with connected(store) as engine:
        if not sa.inspect(engine).has_table(REPORTS.name):
            create(engine, METADATA)
        with engine.connect() as connection:
            yield connection


def create(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Make the tables and indexes that are missing."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))

"""Where sessions and imported records are kept: two more tables of the history.

A new session is on the disk before its start is answered. Later events are added in a transaction
that first locks the session's row, so two transactions cannot overwrite each other's changes.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from mcp_perf.agent.leaderboard import Leaderboard, leaderboard
from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.sessions import NAMES, Event, NewSession, after, begun
from mcp_perf.results.compare.history import connected, create

_METADATA: Final = sa.MetaData()
_SESSIONS: Final = sa.Table(
    "mcp_perf_agent_sessions",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("task", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("completed", sa.Boolean, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
_EVENTS: Final = sa.Table(
    "mcp_perf_agent_events",
    _METADATA,
    sa.Column("session", sa.Text, sa.ForeignKey(_SESSIONS.c.id), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
)


class UnknownSession(Exception):  # noqa: N818 -- what was asked for, not what broke
    """There is no session with this id."""


class SessionOver(Exception):  # noqa: N818
    """The session has been completed, and nothing can be added to it."""


class AgentSession(NamedTuple):
    """The present state of a session or an imported record."""

    id: str
    record: TaskRecord
    source: str = ""
    """The folder that it was imported from."""


class SessionChange(NamedTuple):
    """A session begins, or something happens in it."""

    at_ms: int
    what: NewSession | Event
    session: str = ""
    """Empty if the session begins."""


class AgentStore:
    """The sessions and the imported records of a store. All methods raise HistoryError."""

    def __init__(self, url: str) -> None:
        self._url = url
        with connected(url) as engine:
            create(engine, _METADATA)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with connected(self._url) as engine, engine.begin() as connection:
            yield connection

    def apply(self, changes: Sequence[SessionChange]) -> list[AgentSession | Exception]:
        """Make changes in one transaction; one that fails returns its error, and affects no other.

        The changes are on the disk when this returns.
        """
        with self._transaction() as connection:
            return [_applied(connection, change) for change in changes]

    def make(self, at_ms: int, what: NewSession | Event, session: str = "") -> AgentSession:
        """Make one change. Raises UnknownSession or SessionOver."""
        [made] = self.apply([SessionChange(at_ms, what, session)])
        if isinstance(made, Exception):
            raise made
        return made

    def replace(self, source: str, records: Sequence[TaskRecord]) -> None:
        """Keep the records of a folder, in place of those imported from it before."""
        with self._transaction() as connection:
            connection.execute(sa.delete(_SESSIONS).where(_SESSIONS.c.source == source))
            for one in records:
                _insert(connection, str(uuid.uuid4()), source, one)

    def sessions(
        self, mode: str = "", task: int | None = None, model: str = ""
    ) -> list[AgentSession]:
        """Return sessions and imported records, the oldest first."""
        query = sa.select(_SESSIONS).order_by(_SESSIONS.c.number)
        for column, value in ((_SESSIONS.c.mode, mode), (_SESSIONS.c.model, model)):
            query = query.where(column == value) if value else query
        query = query if task is None else query.where(_SESSIONS.c.task == task)
        with self._transaction() as connection:
            rows = connection.execute(query)
            return [AgentSession(one.id, _read(one.record), one.source) for one in rows]

    def session(self, session: str) -> tuple[AgentSession, list[dict[str, Any]]]:
        """Return one session and its events. Raises UnknownSession."""
        one = sa.select(_SESSIONS).where(_SESSIONS.c.id == session)
        events = sa.select(_EVENTS.c.event).where(_EVENTS.c.session == session)
        with self._transaction() as connection:
            found = connection.execute(one).first()
            if found is None:
                raise UnknownSession(session)
            happened = connection.execute(events.order_by(_EVENTS.c.number)).scalars()
            known = AgentSession(session, _read(found.record), found.source)
            return known, [*map(msgspec.json.decode, happened)]


def _read(text: str) -> TaskRecord:
    return msgspec.json.decode(text, type=TaskRecord)


def _insert(connection: sa.Connection, session: str, source: str, record: TaskRecord) -> None:
    row = {"id": session, "source": source, "events": 0, **_columns(record)}
    connection.execute(sa.insert(_SESSIONS).values(row))


def _columns(record: TaskRecord) -> dict[str, Any]:
    return {
        "mode": record.mode,
        "task": record.task_id,
        "model": record.model or "",
        "completed": record.completed,
        "record": msgspec.json.encode(record).decode(),
    }


def _applied(connection: sa.Connection, change: SessionChange) -> AgentSession | Exception:
    if isinstance(change.what, NewSession):
        session = str(uuid.uuid4())
        record = begun(change.what, session, change.at_ms)
        _insert(connection, session, "", record)
        return AgentSession(session, record)
    mine = sa.update(_SESSIONS).where(_SESSIONS.c.id == change.session)
    counted = {"events": _SESSIONS.c.events + 1}
    # This update locks the row for the transaction, so nobody changes what is read after it.
    taken = connection.execute(mine.where(_SESSIONS.c.completed.is_(False)).values(counted))
    now = sa.select(_SESSIONS.c.events, _SESSIONS.c.record)
    row = connection.execute(now.where(_SESSIONS.c.id == change.session)).first()
    if row is None:
        return UnknownSession(change.session)
    if not taken.rowcount:
        return SessionOver(change.session)
    record = after(_read(row.record), change.what, change.at_ms)
    connection.execute(mine.values(_columns(record)))
    told = {"event": NAMES[type(change.what)], "at": change.at_ms, **change.what.model_dump()}
    event = {"session": change.session, "number": row.events}
    event["event"] = msgspec.json.encode(told).decode()
    connection.execute(sa.insert(_EVENTS).values(event))
    return AgentSession(change.session, record)


def kept(url: str) -> AgentStore | None:
    """Return the sessions of a store; None if it has none, because reading creates no tables."""
    with connected(url) as engine:
        there = sa.inspect(engine).has_table(_SESSIONS.name)
    return AgentStore(url) if there else None


def board_of(store: AgentStore) -> tuple[Leaderboard, list[TaskRecord]]:
    """Compare the imported and the completed runs; remarks name those that are not counted."""
    rows, told = counted(store.sessions())
    return leaderboard(rows, told), rows


def counted(sessions: Iterable[AgentSession]) -> tuple[list[TaskRecord], list[str]]:
    """Return the records of the sessions that count, and remarks on the others."""
    rows: list[TaskRecord] = []
    going_on: list[str] = []
    first: dict[TaskRecord, str] = {}
    again = 0
    for one in sessions:
        if not (one.source or one.record.completed):
            going_on.append(one.id)
        elif first.setdefault(one.record, one.source) == one.source:
            rows.append(one.record)
        else:
            again += 1
    told = [f"Not counted, because incomplete: {', '.join(going_on)}"] if going_on else []
    told += [f"Counted once, although in two folders: {again} rows"] if again else []
    return rows, told

"""Follows the journals of runs that go on, even if another terminal has started them."""

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from starlette.datastructures import State

from mcp_perf.dashboard.table import Cells, Column, Table
from mcp_perf.results.document.document import PHASES, Report
from mcp_perf.results.journal.follow import JournalFollower
from mcp_perf.results.journal.journal import JournalError
from mcp_perf.results.journal.lock import is_held
from mcp_perf.results.render.files import html
from mcp_perf.results.report.build import JOURNAL, NO_RUN
from mcp_perf.results.report.so_far import SoFar
from mcp_perf.results.tally.tally import fold

_COLUMNS: Final = (
    Column("name", "Run", link=lambda row: f"/live/{quote(row['name'], safe='')}"),
    Column("scenario", "Scenario"),
    Column("arms", "Arms"),
    Column("now", "Now"),
    Column("calls", "Calls so far", "count"),
    Column("started", "Started", "time"),
)
_SILENT_S: Final = 600.0
"""A run writes each second; only journals that were written lately are checked for a lock."""
_TICK_S: Final = 1.0
"""A folder that changes twice within this time may keep its time of change."""
_MOST_KNOWN: Final = 32
_OPENING_S: Final = 2.0
"""A journal exists a moment before it is locked."""
RunState = Literal["starting", "running", "over", "cut off", "unreadable"]


class FollowedRun:
    """One run, read once for everybody who watches it; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.path = folder / JOURNAL
        self.stage: RunState = "starting"
        self.problem = ""
        """Why it cannot be followed any further."""
        self.so_far: SoFar | None = None
        self.version = 0
        """Changes whenever there is something new to show."""
        self.shown: tuple[int, str, bool] = (-1, "", False)
        """The version that was shown last, its text, and whether it is the last one."""
        self.lock = threading.RLock()
        """Held by whoever reads what is known."""
        self._journal = JournalFollower(self.path)
        self._judged = 0

    @property
    def started(self) -> str:
        """When it began; empty before its first record."""
        return "" if self.so_far is None else self.so_far.tally.run.started

    def look(self) -> None:
        """Read what was added since the last look."""
        with self.lock:
            if self.stage in ("over", "unreadable"):
                return
            before = self.stage
            with self._reading():
                # In this order, all that a run wrote before it unlocked its journal is read.
                held = is_held(self.path)
                added = self._read()
                self.stage = self._stage(held=held)
                self.version += bool(added or self.stage != before)
                if self._judged == 0 and self.so_far is not None:
                    self._judge()  # the rounds before this look; later ones are judged as they end

    def report(self) -> Report | None:
        """Return the report of what was read; None before the first record."""
        with self.lock:
            if self._judged != self.version:
                with self._reading():
                    self._judge()
            return None if self.so_far is None or self.problem else self.so_far.report

    def _judge(self) -> None:
        if self.so_far is not None:
            self.so_far.judge()
            self._judged = self.version

    def silent_s(self) -> float:
        """Return for how many seconds nobody has written to its journal."""
        try:
            return time.time() - self.path.stat().st_mtime
        except OSError:
            return math.inf

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Follow the run no further if its journal is damaged, or gone."""
        try:
            yield
        except (JournalError, *NO_RUN) as error:
            said = "" if isinstance(error, JournalError) else f"{self.path} makes no run: "
            self.stage, self.problem = "unreadable", f"{said}{error}"
            self.version += 1

    def _read(self) -> int:
        added = 0
        while records := self._journal.more():
            added += len(records)
            for record in records:
                if self.so_far is None:
                    self.so_far = SoFar(fold([record]), time.perf_counter)
                else:
                    self.so_far.take(record)
        return added

    def _stage(self, *, held: bool) -> RunState:
        if self.so_far is not None and self.so_far.tally.ended is not None:
            return "over"
        if not held and self.silent_s() > _OPENING_S:
            return "cut off"
        return "starting" if self.so_far is None else "running"


class Following:
    """The runs of a folder."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._known: dict[str, FollowedRun] = {}
        """Name -> run, the last one asked for at the end. A page does not read a journal anew."""
        self._lock = threading.Lock()
        self._listed: tuple[int, set[str]] = (0, set())
        """What is in the folder, and when that changed last."""
        self._past: set[str] = set()
        """Runs that were found to be silent since then."""

    def going_on(self) -> list[FollowedRun]:
        """Return the runs that go on, the newest first, in their present state."""
        found = [self._of(path.parent.name, again=False) for path in self._held()]
        for one in found:
            one.look()
        going_on = (one for one in found if one.stage in ("starting", "running"))
        return sorted(going_on, key=lambda one: one.started, reverse=True)

    def of(self, name: str) -> FollowedRun | None:
        """Return the present state of the run in a folder of this name; None if there is none."""
        folder = self.runs / name
        inside = folder.parent == self.runs and name != ".."
        if not inside or not os.path.isfile(folder / JOURNAL):  # noqa: PTH113 -- the other one may raise
            return None
        run = self._of(name, again=True)
        run.look()
        return run

    def _of(self, name: str, *, again: bool) -> FollowedRun:
        """Return a run; `again` reads it anew if it could not be read, or was cut off."""
        with self._lock:
            run = self._known.pop(name, None)
            if run is None or (again and run.stage in ("cut off", "unreadable")):
                run = FollowedRun(self.runs / name)
            self._known[name] = run
            while len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            return run

    def _held(self) -> Iterator[Path]:
        for name in self._names():
            path = self.runs / name / JOURNAL
            with contextlib.suppress(OSError):  # it may not exist yet, or no longer
                if time.time() - path.stat().st_mtime > _SILENT_S:
                    self._past.add(name)
                elif is_held(path):
                    yield path

    def _names(self) -> list[str]:
        """Return the folders that may belong to a run that goes on: a few of thousands."""
        try:
            changed = self.runs.stat().st_mtime_ns
            if changed != self._listed[0] or time.time() - changed / 1e9 < _TICK_S:
                self._listed = changed, {path.name for path in self.runs.iterdir()}
                self._past = set()
        except OSError:
            return []
        return [*(self._listed[1] - self._past)]


def going_on(state: State) -> str:
    """Return the list of runs that go on as HTML, without a table if there are none."""
    return html.page("dashboard_going_on.html.j2", (), table=table_of(state), query="")


def table_of(state: State) -> Table:
    """Return the runs that go on, the newest first."""
    return Table("Runs in progress", "/live", _COLUMNS, [*map(_row, state.following.going_on())])


def _row(run: FollowedRun) -> Cells:
    with run.lock:
        so_far = run.so_far
        if so_far is None:
            nothing = dict.fromkeys(("scenario", "arms", "started"), "")
            return {"name": run.name, **nothing, "now": "starting", "calls": None}
        turn = so_far.turn()
        phase = "" if turn is None else PHASES[turn.started.phase].format(turn.started.round)
        return {
            "name": run.name,
            "scenario": so_far.tally.run.scenario,
            "arms": ", ".join(so_far.tally.arms),
            "now": "opening sessions" if turn is None else f"{turn.started.arm}, {phase}",
            "calls": sum(part.count for part in so_far.calls()),
            "started": run.started,
        }

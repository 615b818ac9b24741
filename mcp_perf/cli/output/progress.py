"""What is happening right now, in the terminal: a table, or plain lines if it is not a terminal."""

import time
from typing import Final

import gevent
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mcp_perf import numbers
from mcp_perf.cli.output.arm_now import ArmNow
from mcp_perf.load.engine.run import Run
from mcp_perf.load.hub.redaction import clean
from mcp_perf.load.plan import calibration
from mcp_perf.outcomes import HARNESS_ERROR
from mcp_perf.results.document.document import PHASES
from mcp_perf.results.journal import records as journal

_REFRESH_S: Final = 0.25
_MANY_USERS: Final = 100
"""From this number on, starting them takes long enough to show it."""
_LINE_S: Final = 10.0
"""In a longer turn a log gets a line this often: silence looks like a hang."""


class Progress:
    """Follows one run by its records."""

    def __init__(self, run: Run, console: Console) -> None:
        self._run = run
        self._console = console
        self._arms = {arm: ArmNow() for arm in run.prepared.targets}
        prepared = run.prepared
        self._rounds = prepared.rounds
        self._searching = prepared.searching
        self._turn: journal.TurnStarted | None = None
        self._turn_started = time.monotonic()
        self._last_line_s = 0.0
        self._before_s = 0.0
        """The length of all turns before this one."""
        known = [turn for turn in prepared.turns if turn.round <= 1]
        self._total_s = sum(turn.seconds * ((turn.round and self._rounds) or 1) for turn in known)
        self._starting: dict[str, journal.SessionCount] = {}
        self._live: Live | None = None
        self._painter: gevent.Greenlet | None = None
        run.watchers.append(self._watch)

    def start(self) -> None:
        arms = ", ".join(f"{arm} → {one.url}" for arm, one in self._run.prepared.targets.items())
        self._console.print(Text(clean(self._run.prepared.loaded.scenario.title), style="bold"))
        self._console.print(Text(clean(arms)), soft_wrap=True)
        for line in self._run.prepared.announced():
            self._console.print(Text(clean(line)), soft_wrap=True)
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self._painter = gevent.spawn(self._paint_for_ever)

    def stop(self) -> None:
        if self._painter is not None:
            self._painter.kill()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _watch(self, records: list[journal.AnyRecord]) -> None:
        for record in records:
            match record:
                case journal.TurnStarted():
                    self._end_turn()
                    self._before_s += 0.0 if self._turn is None else self._turn.planned_s
                    self._turn = record
                    self._turn_started = time.monotonic()
                    self._last_line_s = record.at_s
                    self._arms[record.arm].begin(record)
                case journal.Slice() if record.turn != journal.SETUP and self._turn is not None:
                    self._arms[self._turn.arm].add(record)
                    self._go_on(self._turn, record.at_s + record.seconds)
                case journal.TurnEnded() if self._turn is not None:
                    self._arms[self._turn.arm].end(record)
                case journal.SessionCount():
                    self._opening(record)
                case journal.Note() if record.code == calibration.CODE:
                    self._console.print(Text(clean(record.text)), soft_wrap=True)
                case journal.RunEnded():
                    self._end_turn()
                case _:
                    pass

    def _opening(self, record: journal.SessionCount) -> None:
        if self._turn is not None or self._run.prepared.users < _MANY_USERS:
            return
        self._starting[record.node] = record
        if self._live is None:
            self._console.print(self._started(), highlight=False)

    def _started(self) -> str:
        nodes = self._starting.values()
        users, most = sum(node.users for node in nodes), self._run.prepared.users
        sessions = sum(sum(node.open.values()) for node in nodes)
        begun = f"{numbers.plain(numbers.count(users))} of {numbers.counted(most, 'user')}"
        return f"starting: {begun}, {numbers.counted(sessions, 'session')} open"

    def _go_on(self, turn: journal.TurnStarted, now_s: float) -> None:
        """Print how a long turn goes; its end gets another line."""
        due = now_s >= self._last_line_s + _LINE_S
        if due and now_s < turn.at_s + turn.planned_s:
            self._last_line_s = now_s
            self._print_line(turn)

    def _end_turn(self) -> None:
        """Print what came of the turn, now that every node has handed in its records of it."""
        if self._turn is not None:
            self._arms[self._turn.arm].close()
            self._print_line(self._turn)

    def _print_line(self, turn: journal.TurnStarted) -> None:
        if self._live is None:
            line = f"{self._position(turn)}  {turn.arm}: {self._arms[turn.arm].line()}"
            self._console.print(Text(numbers.plain(line)), soft_wrap=True)

    def _position(self, turn: journal.TurnStarted) -> str:
        if turn.phase != "round":
            return PHASES[turn.phase].format(turn.round)
        if self._searching:
            return f"trial {turn.round}, {numbers.rate(turn.rate)} offered"
        return f"round {turn.round} of {self._rounds}"

    def _paint_for_ever(self) -> None:
        while True:
            if self._live is not None:
                self._live.update(self._picture(), refresh=True)
            gevent.sleep(_REFRESH_S)

    def _picture(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("", "arm", "calls/s", "p95", "calls", "errors", "rounds"):
            table.add_column(name, justify="left" if name in ("", "arm") else "right")
        for arm, now in self._arms.items():
            active = self._turn is not None and self._turn.arm == arm
            table.add_row(
                "▶" if active else " ",
                Text(arm, style="bold" if active else ""),
                numbers.plain(numbers.count(now.rate)),
                numbers.plain(numbers.ms(now.p95_ms)),
                numbers.plain(numbers.count(now.calls)),
                Text(numbers.plain(numbers.count(now.errors)), style="red" if now.errors else ""),
                f"{now.rounds_done}" if self._searching else f"{now.rounds_done}/{self._rounds}",
            )
        done_s, position = self._done()
        left_s = max(0, round(self._total_s - done_s))
        bar = ProgressBar(total=self._total_s, completed=done_s, width=40)
        foot = Table.grid(padding=(0, 2))
        most = "at most " if self._searching else ""
        foot.add_row(bar, position, f"{most}{left_s // 60}:{left_s % 60:02d} left")
        unmade = sum(now.unmade for now in self._arms.values())
        fault = numbers.counted(unmade, HARNESS_ERROR)
        fault += ": calls that could not be made, which count for nothing"
        return Group(table, foot, *([Text(numbers.plain(fault), style="red")] if unmade else []))

    def _done(self) -> tuple[float, str]:
        turn = self._turn
        if turn is None:
            return 0.0, self._started() if self._starting else "opening sessions"
        within_s = min(time.monotonic() - self._turn_started, turn.planned_s)
        return self._before_s + within_s, self._position(turn)

"""What is shown of an arm while it runs, and of each round when it is over."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mcp_perf import numbers
from mcp_perf.outcomes import ENDED, FAILED, HARNESS_ERROR, INTERRUPTED, OK, RATE_LIMITED, TIMEOUT
from mcp_perf.results.journal import records as journal
from mcp_perf.results.journal.histogram import Histogram, rank
from mcp_perf.results.tally.groups import CALL
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.turns import RecordedTurn

_WINDOW: Final = 3
"""The rate of a turn in progress comes from this many slices (seconds) of an arm and node."""
_Recent = deque[tuple[float, int, Histogram]]


@dataclass(slots=True)
class ArmNow:
    """One arm: its latest turn, the last seconds of it, and the totals of the run."""

    calls: int = 0
    errors: int = 0
    unmade: int = 0
    """Calls that could not be made as the scenario says; no other number counts them."""
    rounds_done: int = 0
    _turn: RecordedTurn | None = None
    _totals: Totals | None = None
    """Of the turn, when it is over."""
    _recent: dict[str, _Recent] = field(default_factory=dict)
    """Per node: nodes work side by side, so their rates add up."""

    def begin(self, turn: journal.TurnStarted) -> None:
        self._turn, self._totals = RecordedTurn(turn), None
        self._recent.clear()

    def add(self, piece: journal.Slice) -> None:
        if self._turn is not None and self._turn.started.turn == piece.turn:
            self._turn.add(piece)
        calls, latency = 0, Histogram()
        for cell in piece.cells:
            if cell.kind != CALL:
                continue
            self.unmade += cell.n if cell.cls == HARNESS_ERROR else 0
            if cell.cls in ENDED:
                calls += cell.n
                self.errors += cell.n if cell.cls in FAILED else 0
                if cell.cls == OK:
                    latency.add_pairs(cell.latency)
        self.calls += calls
        if piece.seconds > 0.1:
            recent = self._recent.setdefault(piece.node, deque(maxlen=_WINDOW))
            recent.append((piece.seconds, calls, latency))

    def end(self, record: journal.TurnEnded) -> None:
        """Record that a node has ended the turn."""
        if self._turn is not None and self._turn.started.turn == record.turn:
            self._turn.end(record)
            self.rounds_done = self._turn.started.round

    def close(self) -> None:
        """Finish the turn: all nodes have handed in their records of it."""
        if self._turn is not None:
            self._totals = Totals([self._turn])

    @property
    def rate(self) -> float:
        """Calls per second: of the last seconds; of the round, as in the report, if it is over."""
        if self._totals is not None:
            return self._totals.calls_per_s or 0.0
        return sum(
            sum(calls for _, calls, _ in recent) / sum(seconds for seconds, _, _ in recent)
            for recent in self._recent.values()
        )

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the same calls; None if it falls on one that failed."""
        if self._totals is not None:
            return self._totals.value("p95") if self._totals.call.ended else None
        pooled, ended = Histogram(), 0
        for recent in self._recent.values():
            for _, calls, latency in recent:
                pooled.merge(latency)
                ended += calls
        [value] = pooled.at_ranks([rank(0.95, ended)])
        return None if value is None else value / 1e6

    def line(self) -> str:
        """Say how the turn went, or goes: its rate, its percentile, and how its calls ended."""
        totals = self._totals or Totals([] if self._turn is None else [self._turn])
        classes, call = totals.call.classes, totals.call
        p95 = numbers.ms(self.p95_ms)
        if totals.falls_on_failure("p95"):
            [ok_ms] = call.ok.percentiles_ms([0.95])
            p95 = "falls on a failed call"
            p95 += f" ({numbers.ms(ok_ms)} of those that were ok)" if call.ok.n else ""
        said = (
            f"{numbers.significant(self.rate)} calls/s, p95 {p95}, "
            f"{numbers.counted(call.failed, 'error')} in {numbers.counted(call.ended, 'call')}"
        )
        said += f", {numbers.count(call.limited)} {RATE_LIMITED}" if call.limited else ""
        unanswered = classes.get(TIMEOUT, 0) + classes.get(INTERRUPTED, 0)
        said += f", {numbers.count(unanswered)} unanswered" if unanswered else ""
        unmade = classes.get(HARNESS_ERROR, 0)
        return said + (f", {numbers.counted(unmade, HARNESS_ERROR)}" if unmade else "")

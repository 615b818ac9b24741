"""A run that is not over: what its report would say of the rounds so far, and what happens now.

Judging takes time from the users of the same process. So the rounds are judged when a turn has
ended, and what came since then is added to their counts.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mcp_perf.outcomes import FAILED
from mcp_perf.results.document.document import Failure, Report, TimelinePoint
from mcp_perf.results.journal import records as journal
from mcp_perf.results.report.arm_so_far import ArmSoFar, PartSoFar, by_name
from mcp_perf.results.report.build import report_of
from mcp_perf.results.report.failures import FailedPart, failures
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import RunTally, fold
from mcp_perf.results.tally.turns import RecordedTurn
from mcp_perf.results.tally.usage import Usage

KEPT_S: Final = 120
"""How far back the points of the timeline go."""
_LATE_S: Final = 3.0
"""How long a point may still change: other processes report the same second a little later."""
_SHARE: Final = 20
"""Judging may take one part in 20 of the time."""


class TurnSoFar(NamedTuple):
    """The turn in progress, or the last one."""

    started: journal.TurnStarted
    seconds: float
    journeys_per_s: float | None
    calls_per_s: float | None
    p95_ms: float | None


class Use(NamedTuple):
    """What an arm's target used in the last turn in which it was read."""

    cpu: float | None
    rss_bytes: int | None


@dataclass
class SoFar:
    """The tally of a run, with what has been judged of it."""

    tally: RunTally
    clock: Callable[[], float]
    report: Report | None = None
    """It covers the rounds that had ended when it was last made."""
    _past: dict[str, Totals] = field(default_factory=dict)
    _judged: set[int] = field(default_factory=set)
    """The turns that `_past` holds."""
    _arms: dict[str, ArmSoFar] = field(default_factory=dict)
    """The arms without a record since they were added up."""
    _points: deque[TimelinePoint] = field(default_factory=deque)
    _free_at: float = 0.0
    """Until this moment, judging would take too much of the time."""

    @classmethod
    def of(cls, started: journal.RunStarted, clock: Callable[[], float]) -> "SoFar":
        return cls(fold([started]), clock)

    def take(self, record: journal.AnyRecord) -> bool:
        """Take in the next record of the run; tell whether it ended a turn that was then judged."""
        self.tally.take(record)
        turn = self.tally.turns.get(getattr(record, "turn", journal.SETUP))
        if turn is None:
            return False
        self._arms.pop(turn.started.arm, None)
        is_over = isinstance(record, journal.TurnEnded) and turn.finished and turn.measured
        if not is_over or self.clock() < self._free_at:
            return False
        begun = self.clock()
        self.judge()
        self._free_at = self.clock() + _SHARE * (self.clock() - begun)
        return True

    def journeys(self) -> dict[str, list[PartSoFar]]:
        """Return the journeys by name, in each of the arms that have it."""
        return by_name(arm.journeys for arm in self._every())

    def steps(self) -> dict[str, list[PartSoFar]]:
        return by_name(arm.steps for arm in self._every())

    def calls(self) -> list[PartSoFar]:
        return [arm.calls for arm in self._every() if arm.calls.count]

    def turn(self) -> TurnSoFar | None:
        if not self.tally.turns:
            return None
        turn = self.tally.turns[max(self.tally.turns)]
        totals = Totals([turn])
        [p95_ms] = totals.call.ok.percentiles_ms([0.95])
        rates = (totals.throughput_per_s, totals.calls_per_s)
        return TurnSoFar(turn.started, turn.observed_s, *rates, p95_ms)

    def rounds(self) -> int:
        """Return how many rounds all arms have ended."""
        ended = ([turn.finished for turn in self.tally.measured(arm)] for arm in self.tally.arms)
        return min(map(sum, ended), default=0)

    def use(self) -> dict[str, Use]:
        """Return what the target of each arm used in its last turn."""
        return {arm: _use(self.tally.turns_of(arm)) for arm in self.tally.arms}

    def failures(self) -> list[Failure]:
        """Return the kinds of failure, the most frequent first, each with what was said of one."""
        return failures(self.tally, self._failed())

    def points(self) -> list[TimelinePoint]:
        """Return the last two minutes, second by second."""
        last_s = self._points[-1].at_s if self._points else 0.0
        while self._points and self._points[-1].at_s > last_s - _LATE_S:
            self._points.pop()
        since_s = self._points[-1].at_s if self._points else -1.0
        self._points.extend(self.tally.timeline.since(since_s))
        while self._points and self._points[0].at_s < self._points[-1].at_s - KEPT_S:
            self._points.popleft()
        return list(self._points)

    def judge(self) -> None:
        self.report = report_of(self.tally)
        turns = {arm: self.tally.measured(arm) for arm in self.tally.arms}
        self._past = {arm: Totals(of_arm) for arm, of_arm in turns.items()}
        self._judged = {turn.started.turn for of_arm in turns.values() for turn in of_arm}
        self._arms = {}

    def conclude(self, report: Report) -> None:
        """Take over the report of the whole run, which may cover rounds that were not judged."""
        if self.report is not report:
            self.report, self._arms = report, {}

    def _every(self) -> list[ArmSoFar]:
        for arm in self.tally.arms:
            if arm not in self._arms:
                since = [t for t in self.tally.measured(arm) if t.started.turn not in self._judged]
                past = [self._past[arm]] if arm in self._past else []
                found = [*past, *([Totals(since)] if since else [])]
                self._arms[arm] = ArmSoFar.of(arm, found, self.report)
        return [self._arms[arm] for arm in self.tally.arms]

    def _failed(self) -> Iterator[FailedPart]:
        for one in self._every():
            yield from one.failed
        for (arm, name, cls), part in self.tally.setup_parts.items():
            if cls in FAILED:  # outside of turns, such as the opening of a session
                yield FailedPart(arm, name, cls, part.n, part.messages)


def _use(turns: list[RecordedTurn]) -> Use:
    used = [turn.usage for turn in turns]
    cpu = (one.cpu_s / one.seconds for one in reversed(used) if one.cpu_s is not None)
    return Use(next(cpu, None), Usage(used).end_rss)

"""Ends a run early when nearly every call of an arm fails: more calls would add nothing."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_perf.numbers import said
from mcp_perf.outcomes import ENDED, FAILED
from mcp_perf.results.journal import records as journal
from mcp_perf.results.tally.groups import CALL
from mcp_perf.scenario.model.load import BREAKPOINT, DOUBLING
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.syntax import Abort

CODE: Final = "aborted"
"""The code of the note that says why, and of the reason why the run ended."""
_Part = tuple[float, int, int]
"""Of a slice: seconds, calls that ended, calls that failed."""
_FEWEST: Final = 3
"""Fewer failed calls do not end a run: a single user with a long call may have made only one."""


@dataclass(eq=False)
class EarlyEnd:
    """Follows a run by its records. `end` is called once, with the reason."""

    bound: Abort
    end: Callable[[str], None]
    _turns: dict[int, str] = field(default_factory=dict)
    """The measured rounds so far, with their arms."""
    _nodes: set[str] = field(default_factory=set)
    _last: defaultdict[str, deque[_Part]] = field(default_factory=lambda: defaultdict(deque))
    """By arm: as many of its last slices in measured rounds as `bound` is long."""
    _over: bool = False

    def watch(self, records: list[journal.AnyRecord]) -> None:
        for record in records:
            if isinstance(record, journal.TurnStarted) and record.phase == "round":
                self._turns[record.turn] = record.arm
            elif isinstance(record, journal.Slice) and record.turn in self._turns:
                self._take(self._turns[record.turn], record)

    def _take(self, arm: str, part: journal.Slice) -> None:
        self._nodes.add(part.node)
        calls = [cell for cell in part.cells if cell.kind == CALL]
        ended = sum(cell.n for cell in calls if cell.cls in ENDED)
        failed = sum(cell.n for cell in calls if cell.cls in FAILED)
        # The processes work side by side, so each second has one slice of each of them. In a drain
        # no call begins, and nearly all calls that end in it are unanswered ones.
        seconds = 0.0 if part.draining else part.seconds / len(self._nodes)
        last = self._last[arm]
        last.append((seconds, ended, failed))
        spare_s = sum(length_s for length_s, _, _ in last) - self.bound.for_s
        while spare_s >= last[0][0]:
            spare_s -= last.popleft()[0]
        seconds, ended, failed = map(sum, zip(*last, strict=True))
        share = failed / ended if failed >= _FEWEST else 0.0
        if spare_s >= 0 and share >= self.bound.failures and not self._over:
            self._over = True
            self.end(
                f"{said(share, 'fraction')} of the calls of {arm} failed in the last "
                f"{said(seconds, 's')} of its rounds, so the run was ended early. "
                "To let it go on, write abort: off in the load."
            )


def bound_of(scenario: Scenario) -> Abort | None:
    """Return when a run ends early; None is never.

    If the file does not say so, a load that searches or doubles never ends early, because it
    overloads its target on purpose, nor does a run with a gate that holds when nearly all calls
    fail.
    """
    load = scenario.load
    if load.abort is None or "abort" in load.model_fields_set:
        return load.abort
    wanted = any(gate.allows_failures(load.abort.failures) for gate in scenario.gates)
    return None if load.shape in (BREAKPOINT, DOUBLING) or wanted else load.abort

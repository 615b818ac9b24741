"""What gates, searches and comparisons of runs share: an interval decides, and words explain it.

PASS and FAIL need the whole 95 % interval. An interval on both sides of its bound is INCONCLUSIVE.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from mcp_perf.numbers import count, out_of, plain, said
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.tally.metrics import FRACTIONS, bare
from mcp_perf.scenario.model.gates import Gate

RATIO: Final = "x"
GRAVITY: Final[tuple[VerdictName, ...]] = ("PASS", "INCONCLUSIVE", "FAIL", "INVALID")
HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Interval = tuple[float, float]


@dataclass(frozen=True)
class Judgement:
    """A verdict in the making."""

    verdict: VerdictName
    reason: str = ""
    measured: float | None = None
    ci95: Interval | None = None

    def of(self, gate: Gate) -> GateResult:
        """Return the result of a gate; an interval with an infinite end is not shown."""
        shown = self.ci95 is not None and all(map(math.isfinite, self.ci95))
        return GateResult(
            gate=gate.text,
            measured=self.measured,
            unit=gate.unit if gate.factor is None else RATIO,
            ci95=self.ci95 if shown else None,
            verdict=self.verdict,
            reason=self.reason,
        )


def decided(ci95: Interval, holds: Callable[[float], bool]) -> VerdictName:
    """Return what an interval shows about a bound."""
    held = [holds(end) for end in ci95]
    return "PASS" if all(held) else "INCONCLUSIVE" if any(held) else "FAIL"


def gravest(verdicts: Iterable[VerdictName | None]) -> VerdictName:
    """Return the worst verdict; INCONCLUSIVE if nothing was judged."""
    return max(filter(None, verdicts), key=GRAVITY.index, default="INCONCLUSIVE")


def samples_needed(metric: str) -> int:
    """Return how many samples a percentile needs for one to lie beyond it."""
    name = bare(metric)
    return math.ceil(round(1 / (1 - FRACTIONS[name]), 6)) if name in FRACTIONS else 0


def between(ci95: Interval, unit: str, bound: float | None = None) -> str:
    """Write an interval, next to its bound if it has one."""
    low, high = (said(end, unit, bound) for end in ci95)
    return f"between {low} and {high}" if math.isfinite(ci95[1]) else f"at least {low}"


def were(number: int) -> str:
    """Return the verb for a number of calls: `1 was`, `2 were`."""
    return "was" if number == 1 else "were"


def advice(needed: int | None, what: str = "rounds", bound: str = "bound") -> str:
    """Say how many more would decide; `needed` is the result of `more_needed`."""
    if needed is None:
        return f"It is so close to the {bound} that more {what} will hardly decide it."
    return f"About {plain(count(needed))} {what} would decide it."


def no_latency(dropped: int, planned: int, arm: str, metric: str, *, more: str = "") -> str:
    """Say why a time may be longer than it seems."""
    return (
        f"{out_of(dropped, planned, 'planned journey')} of {arm} were not started (dropped){more}, "
        f"because max_in_flight was reached: {metric} of all of them would be longer than "
        "measured. Lower load.rate, or raise load.max_in_flight."
    )


@dataclass(frozen=True)
class Bound:
    """The right side of a gate, and the name of its left side."""

    name: str
    op: str
    value: float
    unit: str

    @classmethod
    def of(cls, gate: Gate) -> Self:
        """Return the bound of a gate: on one number, on a ratio, or on a difference."""
        between = " - " if gate.factor is None else " / "
        name = between.join(f"{side}.{gate.metric}" for side in gate.sides)
        if gate.factor is not None:
            return cls(name, gate.op, gate.factor, RATIO)
        return cls(name, gate.op, gate.value or 0.0, gate.unit)

    def holds(self, number: float) -> bool:
        """Tell whether a number meets the gate."""
        return HOLDS[self.op](number, self.value)

    def demand(self) -> str:
        """Say what the gate asks for."""
        return f"the gate asks for {self.op} {self._near(self.value)}"

    def _near(self, number: float) -> str:
        return said(number, self.unit, self.value)

    def plainly(self, number: float) -> Judgement:
        """Judge an exact number, such as a count or the longest time."""
        if self.holds(number):
            return Judgement("PASS", measured=number)
        reason = f"{self.name} is {self._near(number)}; {self.demand()}."
        return Judgement("FAIL", reason, number)

    def against(self, number: float, ci95: Interval, hint: str) -> Judgement:
        """Judge a number by its interval; `hint` says what to do if the interval is undecided."""
        verdict = decided(ci95, self.holds)
        shown = f"{self._near(number)}, {between(ci95, self.unit, self.value)} (95 %)"
        reason = {
            "PASS": "",
            "FAIL": f"{self.name} is {shown}; {self.demand()}.",
            "INCONCLUSIVE": f"{self.name} is {shown}, and {self.demand()}: undecided. {hint}",
        }
        return Judgement(verdict, reason[verdict], number, ci95)

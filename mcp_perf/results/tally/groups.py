"""Calls that are counted together: their times, their sizes, and how they ended."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from mcp_perf.outcomes import ENDED, FAILED, INTERRUPTED, OK, RATE_LIMITED
from mcp_perf.results.journal.histogram import Histogram, rank
from mcp_perf.results.journal.records import Cell

CALL: Final = "call"
JOURNEY: Final = "journey"
EVENT: Final = "event"
GAP: Final = "gap"
RECOVERY: Final = "recovery"
"""Calls that found their session lost."""
HEALED: Final = "healed"
"""Calls that had something else to mend: a stream to resume, tools to list again."""
STOP: Final = "stop"
UNHEARD: Final = "unheard"
STRAY: Final = "stray"
STREAM: Final = "stream"
START: Final = "start"
"""Journeys that began in an open load; the times say how late they began: the schedule's lag."""
SLOT: Final = "slot"
"""Journeys, named by the second of the turn in which they began or should have begun."""
DROPPED: Final = "dropped"
"""The class of an arrival that found no user, among slots."""


@dataclass(eq=False)
class Tally:
    """Durations and sizes of calls (or of whole journeys) that are counted together."""

    n: int = 0
    total_ns: int = 0
    min_ns: int | None = None
    max_ns: int | None = None
    service_total_ns: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    body_bytes: int = 0
    checked: int = 0
    violations: int = 0
    unchecked: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    """How many failed calls said the same."""
    latency: Histogram = field(default_factory=Histogram)
    _service: Histogram | None = None

    @property
    def service(self) -> Histogram:
        """Times from the actual send; the latency itself as long as nothing started late."""
        return self.latency if self._service is None else self._service

    def add(self, cell: Cell) -> None:
        self._count(cell, cell.service_total_ns if cell.service else cell.total_ns)
        if cell.service:
            self._split_service().add_pairs(cell.service)
        elif self._service is not None:
            self._service.add_pairs(cell.latency)
        self.latency.add_pairs(cell.latency)

    def merge(self, other: "Tally") -> None:
        self._count(other, other.service_total_ns)
        if other.service is not other.latency or self._service is not None:
            self._split_service().merge(other.service)
        self.latency.merge(other.latency)

    def percentiles_ms(self, fractions: list[float]) -> list[float | None]:
        """Return percentiles of the latency; None without samples."""
        found = self.latency.percentiles(fractions)
        return [None if ns is None else self._within(ns) / 1e6 for ns in found]

    def at_rank_ms(self, at_rank: int, *, longest_known: bool = True) -> float | None:
        """Return the latency at a rank among all, from 1; None beyond the last."""
        [ns] = self.latency.at_ranks([at_rank])
        if ns is None:
            return None
        return (self._within(ns) if longest_known else max(ns, self.min_ns or 0)) / 1e6

    def curve_ms(self) -> list[tuple[float, float]]:
        """Return points (fraction, ms) of the latency, denser towards 1."""
        return [(fraction, self._within(ns) / 1e6) for fraction, ns in self.latency.curve()]

    def mean_ms(self) -> float | None:
        """Return the mean latency, exact."""
        return self.total_ns / self.n / 1e6 if self.n else None

    def max_ms(self) -> float | None:
        """Return the longest latency, exact."""
        return None if self.max_ns is None else self.max_ns / 1e6

    def _within(self, ns: float) -> float:
        """Keep the middle of a bucket within the exact shortest and longest times."""
        return min(max(ns, self.min_ns or 0), ns if self.max_ns is None else self.max_ns)

    def _count(self, part: "Cell | Tally", service_total_ns: int) -> None:
        self.n += part.n
        self.total_ns += part.total_ns
        self.service_total_ns += service_total_ns
        self.bytes_in += part.bytes_in
        self.bytes_out += part.bytes_out
        self.body_bytes += part.body_bytes
        self.checked += part.checked
        self.violations += part.violations
        self.unchecked += part.unchecked
        if part.messages:
            self.messages.update(part.messages)
        if part.min_ns is not None and part.max_ns is not None:
            self.min_ns = part.min_ns if self.min_ns is None else min(self.min_ns, part.min_ns)
            self.max_ns = part.max_ns if self.max_ns is None else max(self.max_ns, part.max_ns)

    def _split_service(self) -> Histogram:
        if self._service is None:
            self._service = Histogram()
            self._service.merge(self.latency)
        return self._service


class Group:
    """Tallies by class: one step, one journey, or all of an arm."""

    def __init__(
        self, parts: Iterable[tuple[str, Tally]], steps: Sequence["Group"] | None = None
    ) -> None:
        """Group tallies by class; `steps` are the groups within this one, unless it is one step."""
        found: defaultdict[str, list[Tally]] = defaultdict(list)
        for cls, tally in parts:
            found[cls].append(tally)
        self.by_class = {cls: merged(tallies) for cls, tallies in found.items()}
        self._steps = steps

    @property
    def classes(self) -> dict[str, int]:
        return {cls: tally.n for cls, tally in self.by_class.items()}

    @cached_property
    def all(self) -> Tally:
        return merged(list(self.by_class.values()))

    @property
    def ok(self) -> Tally:
        return self.by_class.get(OK, Tally())

    @property
    def failures(self) -> Tally:
        return merged([tally for cls, tally in self.by_class.items() if cls in FAILED])

    def ranked(self, unmeasured: int = 0) -> "Ranked":
        """Put the times in order; `unmeasured` counts calls whose time is not known."""
        return Ranked(self.ok, self.by_class.get(INTERRUPTED, Tally()), self.failures, unmeasured)

    @property
    def ended(self) -> int:
        return sum(tally.n for cls, tally in self.by_class.items() if cls in ENDED)

    @property
    def failed(self) -> int:
        return sum(tally.n for cls, tally in self.by_class.items() if cls in FAILED)

    @property
    def limited(self) -> int:
        """Calls that were refused because the target was asked too often."""
        return self.classes.get(RATE_LIMITED, 0)

    @property
    def violation_rate(self) -> float | None:
        """Results that broke their outputSchema over results that were checked against it."""
        return self.all.violations / self.all.checked if self.all.checked else None

    @cached_property
    def unseen(self) -> float:
        """How many unchecked results break their schema, if they are like the checked ones."""
        if self._steps is not None:
            return sum(step.unseen for step in self._steps)
        return self.all.unchecked * (self.violation_rate or 0.0)

    @cached_property
    def seen_share(self) -> float:
        """The checked share of the results, at the step with the least; 1 without violations."""
        if self._steps is not None:
            return min((step.seen_share for step in self._steps), default=1.0)
        return self.all.checked / (self.all.checked + self.all.unchecked) if self.unseen else 1.0

    @property
    def error_rate(self) -> float | None:
        """Failed over ended, a fraction.

        Unchecked results are assumed to break their schema as often as checked ones, so leaving
        out checks does not lower the rate.
        """
        return (self.failed + self.unseen) / self.ended if self.ended else None


@dataclass(frozen=True)
class Ranked:
    """Times in order, in which a failed call ranks above all ok calls.

    So a failure never makes a number better, however soon it came. A call that was cut off
    unanswered ranks by its age.
    """

    ok: Tally
    cut_off: Tally
    failures: Tally
    unmeasured: int
    """Calls whose time the target did not report; they rank above all others."""

    @cached_property
    def kept(self) -> Tally:
        """The calls that were ok or cut off."""
        return merged([tally for tally in (self.ok, self.cut_off) if tally.n])

    @property
    def n(self) -> int:
        return self.kept.n + self.failures.n + self.unmeasured

    def percentile_ms(self, fraction: float, *, first: bool = False) -> float | None:
        """Return a percentile; None if it falls on a failed call, or on one without a known time.

        With `first`, failed calls rank below all others, as if they had taken no time.
        """
        at_rank = rank(fraction, self.n) - (self.failures.n if first else 0)
        if at_rank <= 0:
            return 0.0
        # If the longest call failed, the longest of the others is not a bound.
        return self.kept.at_rank_ms(at_rank, longest_known=not self.failures.n)

    def up_to(self, ms: float) -> int:
        """Return how many calls were ok or cut off and took at most `ms`."""
        return self.kept.latency.up_to(ms * 1e6)

    def mean_ms(self, *, first: bool = False) -> float | None:
        """Return the mean; each failed call counts with the longest time of all calls."""
        if self.unmeasured or not self.n:
            return None
        longest_ns = max(self.kept.max_ns or 0, self.failures.max_ns or 0)
        failed_ns = 0 if first else self.failures.n * longest_ns
        return (self.kept.total_ns + failed_ns) / self.n / 1e6

    def max_ms(self, *, first: bool = False) -> float | None:
        """Return the longest time; None if a call failed, because its full time is not known."""
        if self.unmeasured or (self.failures.n and not first):
            return None
        return self.kept.max_ms()


def merged(tallies: list[Tally]) -> Tally:
    """Return the sum of tallies; a single one is returned itself, so do not change the result."""
    if len(tallies) == 1:
        return tallies[0]
    together = Tally()
    for tally in tallies:
        together.merge(tally)
    return together

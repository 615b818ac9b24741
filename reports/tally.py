"""From journal records to tallies, in one pass whose memory does not depend on the calls."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from reports.health import GeneratorHealth, Limits
from reports.histogram import Histogram
from reports.journal import (
    SETUP,
    AnyRecord,
    Cell,
    JournalError,
    Note,
    RunEnded,
    RunStarted,
    SampleRecord,
    Slice,
    TurnEnded,
    TurnStarted,
)
from reports.samples import ENDED, FAILED, HARNESS_ERROR, OK
from reports.timeline import Timeline

CALL = "call"
JOURNEY = "journey"


class Tally:
    """Durations and sizes of calls (or of whole journeys) that are counted together."""

    def __init__(self) -> None:
        self.n = 0
        self.total_ns = 0
        self.min_ns: int | None = None
        self.max_ns: int | None = None
        self.service_total_ns = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.latency = Histogram()
        self._service: Histogram | None = None

    @property
    def service(self) -> Histogram:
        """From the actual send; the latency itself as long as nothing started late."""
        return self.latency if self._service is None else self._service

    def add(self, cell: Cell) -> None:
        """Add the calls of a cell."""
        self._count(cell, cell.service_total_ns if cell.service else cell.total_ns)
        if cell.service:
            self._split_service().add_pairs(cell.service)
        elif self._service is not None:
            self._service.add_pairs(cell.latency)
        self.latency.add_pairs(cell.latency)

    def merge(self, other: "Tally") -> None:
        """Add the calls of another tally."""
        self._count(other, other.service_total_ns)
        if other.service is not other.latency or self._service is not None:
            self._split_service().merge(other.service)
        self.latency.merge(other.latency)

    def percentiles_ms(self, fractions: list[float]) -> list[float | None]:
        """Return percentiles of the latency, never outside of what was measured exactly."""
        if self.min_ns is None or self.max_ns is None:
            return [None] * len(fractions)
        found = self.latency.percentiles(fractions)
        return [
            None if ns is None else min(max(ns, self.min_ns), self.max_ns) / 1e6 for ns in found
        ]

    def mean_ms(self) -> float | None:
        """Return the mean latency, exact."""
        return self.total_ns / self.n / 1e6 if self.n else None

    def max_ms(self) -> float | None:
        """Return the longest latency, exact."""
        return None if self.max_ns is None else self.max_ns / 1e6

    def _count(self, part: "Cell | Tally", service_total_ns: int) -> None:
        self.n += part.n
        self.total_ns += part.total_ns
        self.service_total_ns += service_total_ns
        self.bytes_in += part.bytes_in
        self.bytes_out += part.bytes_out
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

    def __init__(self, parts: Iterable[tuple[str, Tally]]) -> None:
        self.by_class: dict[str, Tally] = {}
        for cls, tally in parts:
            self.by_class.setdefault(cls, Tally()).merge(tally)

    @property
    def classes(self) -> dict[str, int]:
        """How many ended in each class."""
        return {cls: tally.n for cls, tally in self.by_class.items()}

    @cached_property
    def all(self) -> Tally:
        """Every class together."""
        together = Tally()
        for tally in self.by_class.values():
            together.merge(tally)
        return together

    @property
    def ok(self) -> Tally:
        """Only those that ended well."""
        return self.by_class.get(OK, Tally())

    @property
    def ended(self) -> int:
        """How many the target answered for."""
        return sum(tally.n for cls, tally in self.by_class.items() if cls in ENDED)

    @property
    def failed(self) -> int:
        """How many of these failed."""
        return sum(tally.n for cls, tally in self.by_class.items() if cls in FAILED)

    @property
    def error_rate(self) -> float | None:
        """Failed over ended, a fraction."""
        return self.failed / self.ended if self.ended else None


@dataclass
class Share:
    """A node's part of a turn."""

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ended calls, and journeys with every step ok, by kind and name: the numerators of rates."""
    journey_ns: int = 0
    active: bool = False
    observed_s: float = 0.0
    ended: TurnEnded | None = None

    @property
    def busy_s(self) -> float:
        """The denominator of rates; what was observed if the turn was cut off."""
        return self.observed_s if self.ended is None else self.ended.busy_s


@dataclass
class Turn:
    """What all nodes recorded in one turn."""

    started: TurnStarted
    parts: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """By kind, name and class."""
    shares: dict[str, Share] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """Whether it counts: a round, not the warm-up."""
        return self.started.phase == "round"

    @property
    def finished(self) -> bool:
        """Whether the calls of every node that made some have drained."""
        ended = [share.ended is not None for share in self.shares.values() if share.active]
        return bool(ended) and all(ended)

    def share(self, node: str) -> Share:
        """Return the node's part, a new one if need be."""
        return self.shares.setdefault(node, Share())

    def add(self, part: Slice) -> None:
        """Add what a node recorded in a second."""
        share = self.share(part.node)
        share.observed_s += part.seconds
        for cell in part.cells:
            share.active = True
            self.parts.setdefault((cell.kind, cell.name, cell.cls), Tally()).add(cell)
            if cell.kind == JOURNEY:
                share.journey_ns += cell.total_ns
            if cell.cls in (ENDED if cell.kind == CALL else (OK,)):
                share.done[cell.kind, cell.name] += cell.n

    def end(self, record: TurnEnded) -> None:
        """Take note that a node's calls have drained."""
        share = self.share(record.node)
        share.active = True
        share.ended = record

    def calls(self) -> int:
        """Count the calls, of whatever class."""
        return sum(tally.n for (kind, _, _), tally in self.parts.items() if kind == CALL)


@dataclass
class RunTally:
    """A whole run, tallied."""

    run: RunStarted
    turns: dict[int, Turn] = field(default_factory=dict)
    setup: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls that belong to no turn, by arm and class."""
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By arm, step and class: what was said of the first one that is known."""
    harness_errors: int = 0
    notes: list[Note] = field(default_factory=list)
    health: GeneratorHealth = field(default_factory=GeneratorHealth)
    timeline: Timeline = field(default_factory=Timeline)
    ended: RunEnded | None = None
    last_s: float = 0.0
    stray_slices: int = 0
    """Slices of a turn that never started: the journal is damaged."""

    @property
    def complete(self) -> bool:
        """Whether everything planned was done and recorded."""
        finished = self.ended is not None and self.ended.reason == "finished"
        drained = all(turn.finished for turn in self.turns.values())
        return finished and drained and not self.stray_slices

    @property
    def arms(self) -> list[str]:
        """The arms, in the scenario's order."""
        return list(dict.fromkeys([*self.run.arms, *(t.started.arm for t in self.turns.values())]))

    def turns_of(self, arm: str) -> list[Turn]:
        """Return the arm's turns in the order of the run, warm-up included."""
        return [turn for _, turn in sorted(self.turns.items()) if turn.started.arm == arm]

    def measured(self, arm: str) -> list[Turn]:
        """Return the arm's measured rounds."""
        return [turn for turn in self.turns_of(arm) if turn.measured]

    def take(self, record: AnyRecord) -> None:
        """Add one record."""
        match record:
            case Slice():
                self._slice(record)
            case TurnStarted():
                self.turns[record.turn] = Turn(record)
            case TurnEnded():
                if record.turn in self.turns:
                    self.turns[record.turn].end(record)
            case SampleRecord():
                if record.detail:
                    key = (record.arm, record.step, record.cls)
                    self.examples.setdefault(key, record.detail)
            case Note():
                self.notes.append(record)
            case RunEnded():
                self.ended = record
                self.last_s = record.at_s
            case RunStarted():
                raise JournalError("The journal holds two runs; every run has its own folder.")

    def _slice(self, part: Slice) -> None:
        self.last_s = max(self.last_s, part.at_s + part.seconds)
        self.harness_errors += sum(cell.n for cell in part.cells if cell.cls == HARNESS_ERROR)
        if part.turn == SETUP:
            for cell in part.cells:
                self.setup[cell.arm, cell.cls] += cell.n
        elif (turn := self.turns.get(part.turn)) is None:
            self.stray_slices += 1
        else:
            turn.add(part)
            self.timeline.add(part, turn.started)
            if turn.measured:
                self.health.add(part, turn.started.arm)


def fold(records: Iterable[AnyRecord]) -> RunTally:
    """Tally the records of one journal, in their order.

    Raises JournalError when they do not begin with the run's own record.
    """
    stream = iter(records)
    first = next(stream, None)
    if not isinstance(first, RunStarted):
        raise JournalError("The journal does not begin with the record of a run: it is damaged.")
    tally = RunTally(first, health=GeneratorHealth(Limits.of(first.limits)))
    for record in stream:
        tally.take(record)
    return tally

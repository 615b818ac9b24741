"""From journal records to tallies, in one pass whose memory does not grow with the calls."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from mcp_perf.outcomes import HARNESS_ERROR
from mcp_perf.results.journal import records as journal
from mcp_perf.results.journal.journal import JournalError
from mcp_perf.results.tally.groups import CALL, STRAY, STREAM, Tally
from mcp_perf.results.tally.health import GeneratorHealth, GeneratorLimits
from mcp_perf.results.tally.sessions import SessionTally
from mcp_perf.results.tally.timeline import ResourceTimeline, Timeline
from mcp_perf.results.tally.turns import RecordedTurn


@dataclass
class RunTally:
    """A whole run, tallied."""

    run: journal.RunStarted
    turns: dict[int, RecordedTurn] = field(default_factory=dict)
    setup_parts: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    """Requests that belong to no turn, by arm, name and class."""
    setup: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls that belong to no turn, by arm and class."""
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By arm, step and class: the detail of the first sample that has one."""
    first_replies: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By arm, step and class: the first reply."""
    looked: dict[tuple[str, str], journal.LookedReplies] = field(default_factory=dict)
    """By arm and step: what was seen in ok replies."""
    harness_errors: int = 0
    strays: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Messages without a call in the whole run, by arm and kind."""
    streams: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """What happened to the streams of sessions in the whole run, by arm and name."""
    notes: list[journal.Note] = field(default_factory=list)
    health: GeneratorHealth = field(default_factory=GeneratorHealth)
    timeline: Timeline = field(default_factory=Timeline)
    resources: ResourceTimeline = field(default_factory=ResourceTimeline)
    sessions: SessionTally = field(default_factory=SessionTally)
    outages: list[journal.Outage] = field(default_factory=list)
    """Each outage once, by its last record."""
    baseline: journal.Baseline | None = None
    ended: journal.RunEnded | None = None
    last_s: float = 0.0
    stray_slices: int = 0
    """Slices of a turn that never started: the journal is damaged."""

    @property
    def complete(self) -> bool:
        finished = self.ended is not None and self.ended.reason == "finished"
        drained = all(turn.finished for turn in self.turns.values())
        return finished and drained and not self.stray_slices

    @property
    def load(self) -> Mapping[str, Any]:
        """The load of the run; if it is calibrated, with the users that its rounds had."""
        found = [turn.started.users for turn in self.turns.values() if turn.measured]
        calibrated = "calibrate" in self.run.load and found
        return {**self.run.load, "users": max(found)} if calibrated else self.run.load

    @property
    def arms(self) -> list[str]:
        """The arms, in the scenario's order."""
        return list(dict.fromkeys([*self.run.arms, *(t.started.arm for t in self.turns.values())]))

    def turns_of(self, arm: str) -> list[RecordedTurn]:
        """Return the arm's turns in the order of the run, warm-up included."""
        return [turn for _, turn in sorted(self.turns.items()) if turn.started.arm == arm]

    def measured(self, arm: str) -> list[RecordedTurn]:
        return [turn for turn in self.turns_of(arm) if turn.measured]

    def take(self, record: journal.AnyRecord) -> None:
        match record:
            case journal.Slice():
                self._slice(record)
            case journal.TurnStarted():
                turn = self.turns[record.turn] = RecordedTurn(record)
                self.sessions.settle(measured=turn.measured)
            case journal.TurnEnded():
                self._end(record)
            case journal.SampleRecord() | journal.LookedReplies():
                self._said(record)
            case journal.ResourceSample() | journal.UpstreamUse():
                self._add_use(record)
            case journal.SessionCount():
                self.sessions.count(record, begun=bool(self.turns))
            case journal.Baseline():
                self.baseline = record
            case journal.Note() | journal.Outage():
                self._happened(record)
            case journal.RunEnded():
                self.ended = record
                self.last_s = record.at_s
            case _:
                raise JournalError(
                    "The journal contains two runs. Use a separate folder for each run."
                )

    def _end(self, record: journal.TurnEnded) -> None:
        if record.turn in self.turns:
            self.turns[record.turn].end(record)

    def _happened(self, record: journal.Note | journal.Outage) -> None:
        if isinstance(record, journal.Note):
            self.notes.append(record)
            return
        key = (record.node, record.arm, record.from_s)
        others = (one for one in self.outages if (one.node, one.arm, one.from_s) != key)
        self.outages = [*others, record]

    def _said(self, sample: journal.SampleRecord | journal.LookedReplies) -> None:
        if isinstance(sample, journal.LookedReplies):
            step = (sample.arm, sample.step)
            known = self.looked.get(step)
            self.looked[step] = sample if known is None else _together(known, sample)
            return
        key = (sample.arm, sample.step, sample.cls)
        if sample.detail:
            self.examples.setdefault(key, sample.detail)
        if sample.reply:
            self.first_replies.setdefault(key, sample.reply)

    def _add_use(self, sample: journal.ResourceSample | journal.UpstreamUse) -> None:
        if isinstance(sample, journal.ResourceSample) and sample.turn == journal.SETUP:
            self.sessions.read(sample, begun=bool(self.turns))
        turn = self.turns.get(sample.turn)
        if turn is None:
            return
        if isinstance(sample, journal.UpstreamUse):
            turn.upstream = sample
            return
        if turn.usage.last is not None:
            self.resources.add(turn.usage.last, sample, turn.started)
        else:
            self.sessions.begin_turn(sample, measured=turn.measured)
        turn.usage.add(sample)
        if turn.measured and turn.usage.cpu_s is not None and self._is_here(sample.arm):
            self.health.target_cpu_s[sample.turn] = turn.usage.cpu_s

    def _is_here(self, arm: str) -> bool:
        """Tell whether an arm's processes were read directly, because they ran on this machine."""
        source = str(self.run.arms.get(arm, {}).get("resources", {}).get("source", ""))
        return bool(source) and "://" not in source

    def _slice(self, part: journal.Slice) -> None:
        self.last_s = max(self.last_s, part.at_s + part.seconds)
        in_setup, turn = part.turn == journal.SETUP, self.turns.get(part.turn)
        for cell in part.cells:
            if cell.kind == STRAY:
                self.strays[cell.arm, cell.name] += cell.n
            elif cell.kind == STREAM:
                self.streams.setdefault((cell.arm, cell.name), Tally()).add(cell)
            elif in_setup:
                self.setup[cell.arm, cell.cls] += cell.n
                self.setup_parts.setdefault((cell.arm, cell.name, cell.cls), Tally()).add(cell)
            if cell.kind == CALL and cell.cls == HARNESS_ERROR:
                self.harness_errors += cell.n
        if turn is not None:
            turn.add(part)
            self.timeline.add(part, turn.started)
            if turn.measured:
                self.health.add(part, turn.started.arm)
        elif not in_setup:
            self.stray_slices += 1


def _together(one: journal.LookedReplies, other: journal.LookedReplies) -> journal.LookedReplies:
    """Add what was seen later or by another node; the first example stays."""
    return replace(
        one,
        looked=one.looked + other.looked,
        like_errors=one.like_errors + other.like_errors,
        empty=one.empty + other.empty,
        example=one.example or other.example,
        alike=dict(Counter(one.alike) + Counter(other.alike)),
        varied=sorted({*one.varied, *other.varied}),
    )


def fold(records: Iterable[journal.AnyRecord]) -> RunTally:
    """Tally the records of one run's journal, in order. Raises JournalError for any others."""
    stream = iter(records)
    first = next(stream, None)
    if first is None:
        raise JournalError("The journal is empty, because the run ended before its first record.")
    if not isinstance(first, journal.RunStarted):
        raise JournalError("The journal is damaged: it does not begin with the record of a run.")
    tally = RunTally(first, health=GeneratorHealth(GeneratorLimits.of(first.limits)))
    for record in stream:
        tally.take(record)
    return tally

"""What happened: calls into cells, cells into slices of about a second, slices to the journal.

One recorder per process. The first half is the hot path: a call costs it about a microsecond, and
its memory depends on the number of steps and classes, never on the number of calls.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from typing import Final, Protocol

from msgspec.structs import replace

from mcp_perf.client.reply import Heard, Reply, Stop, beginning
from mcp_perf.load.replies.look import ReplyLook
from mcp_perf.load.replies.shown import shown
from mcp_perf.load.steps.outages import UNREACHED, OutageWatch, Slots
from mcp_perf.load.steps.refusals import SessionNotes, Wordings
from mcp_perf.outcomes import ENDED, OK, TIMEOUT
from mcp_perf.results.journal import records as journal
from mcp_perf.results.tally import groups

FAILURE_SAMPLES: Final = 20
"""Failures kept whole, per arm, step and class."""
OK_SAMPLES: Final = 2000
"""Successful calls kept whole, per process: the first of each step in each second."""

Sink = Callable[[list[journal.AnyRecord]], None]
LocustRow = tuple[str, str]
"""Verb and name, under which Locust shows calls."""


@dataclass(eq=False, slots=True)
class OpenCell:
    """The calls of one cell so far."""

    n: int = 0
    total_ns: int = 0
    min_ns: int = 1 << 62
    max_ns: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    body_bytes: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    service: "OpenCell | None" = None
    """In an open load, the times from the actual send: the others start earlier."""

    def add_service(self, ns: int) -> None:
        if self.service is None:
            self.service = OpenCell()
        self.service.add(ns)

    def add(self, ns: int, bytes_in: int = 0, bytes_out: int = 0) -> None:
        self.n += 1
        self.total_ns += ns
        if ns < self.min_ns:
            self.min_ns = ns
        if ns > self.max_ns:
            self.max_ns = ns
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        # The bucket of results.journal.histogram.bucket, inlined; a test holds the two together.
        shift = ns.bit_length() - 11
        key = ns if shift <= 0 else (shift << 10) + (ns >> shift)
        buckets = self.buckets
        buckets[key] = buckets.get(key, 0) + 1

    def cell(self, track: "Track", cls: str) -> journal.Cell:
        return journal.Cell(
            arm=track.arm,
            kind=track.kind,
            name=track.name,
            cls=cls,
            journey=track.journey,
            tool=track.tool,
            n=self.n,
            total_ns=self.total_ns,
            min_ns=self.min_ns,
            max_ns=self.max_ns,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            body_bytes=self.body_bytes,
            messages=self.messages,
            latency=self.pairs(),
            service=[] if self.service is None else self.service.pairs(),
            service_total_ns=0 if self.service is None else self.service.total_ns,
        )

    def pairs(self) -> list[int]:
        """Return bucket, count, bucket, count, …: the form of the journal's cells."""
        return [number for pair in sorted(self.buckets.items()) for number in pair]


@dataclass(eq=False, slots=True)
class Track:
    """Where the calls of one step (or the journeys of one name) of one arm are counted."""

    arm: str
    kind: str
    name: str
    journey: str = ""
    tool: str = ""
    row: LocustRow | None = None
    """None if Locust does not hear of the calls."""
    tallies: dict[str, OpenCell] = field(default_factory=dict)
    checked: int = 0
    """Results that were held against their schema."""
    violations: int = 0
    """Of these, results that broke it."""
    unchecked: int = 0
    """Results that were ok, and were not held against their schema."""
    _other: "Track | None" = None
    """The track of the same name with another verb."""

    def shown_as(self, verb: str, name: str) -> "Track":
        """Return the track of the calls that Locust shows in this row; equal verbs share one."""
        if self.row is None:
            self.row = (verb, name)
        if self.row == (verb, name):
            return self
        if self._other is None:
            self._other = Track(self.arm, self.kind, self.name, self.journey, self.tool)
        return self._other.shown_as(verb, name)

    def all(self) -> Iterator["Track"]:
        yield self
        if self._other is not None:
            yield from self._other.all()

    def take(self) -> list[journal.Cell]:
        taken, self.tallies = self.tallies, {}
        cells = [tally.cell(self, cls) for cls, tally in taken.items()]
        if cells and (self.checked or self.unchecked):
            cells[0] = replace(
                cells[0], checked=self.checked, violations=self.violations, unchecked=self.unchecked
            )
            self.checked = self.violations = self.unchecked = 0
        return cells


class Feed(Protocol):
    """Gets what was counted, once a second, for Locust's own statistics."""

    @property
    def listeners(self) -> Sized:
        """Who hears of each request; if there are others than Locust, this feed ends."""

    def take(self, counted: Iterable[tuple[LocustRow, str, OpenCell]]) -> None: ...


@dataclass(eq=False)
class Recorder:
    """All tracks of a process, the turn they count for, and the samples kept whole."""

    node: str
    sink: Sink
    clock: Callable[[], int] = time.perf_counter_ns
    late_ns: int = 5_000_000
    turn: int = journal.SETUP
    draining: bool = False
    """Whether the time that counts for the turn's rates is over."""
    calls: int = 0
    feed: Feed | None = None
    """None: each call is reported to Locust separately."""
    _arm: str = ""
    """The arm whose turn it is, or was last."""
    slots: Slots = field(default_factory=Slots)
    """When the journeys of the turn began."""
    _starts: int = 0
    _late_starts: int = 0
    _tracks: dict[tuple[str, str, str, str, str], Track] = field(default_factory=dict)
    _setup: dict[tuple[str, str], Track] = field(default_factory=dict)
    _samples: list[journal.AnyRecord] = field(default_factory=list)
    _kept: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _shown: set[tuple[str, str, str]] = field(default_factory=set)
    _wordings: Wordings = field(default_factory=Wordings)
    _sessions: SessionNotes = field(default_factory=SessionNotes)
    looks: list[ReplyLook] = field(default_factory=list)
    """The looks at the replies of steps."""

    def __post_init__(self) -> None:
        self._zero_ns = self._since_ns = self.clock()
        self.outages = OutageWatch(self.node, lambda ns: (ns - self._zero_ns) / 1e9)

    def begin(self, turn: int, arm: str) -> None:
        """Count for a turn from now on."""
        self.turn, self._arm, self.slots = turn, arm, Slots(self.clock())
        self.outages.begin(arm, self.calls)

    def end(self) -> None:
        """Count for no turn from now on; an outage that goes on is recorded."""
        self.sink([*self.outages.take(self._arm, self.calls, last=True)])
        self.turn, self.draining, self.slots = journal.SETUP, False, Slots()

    def start(self, at_s: float = 0.0) -> None:
        """Set the run's clock: it is `at_s` now."""
        self._zero_ns = self.clock() - int(at_s * 1e9)
        self._since_ns = self.clock()

    def now_s(self) -> float:
        return (self.clock() - self._zero_ns) / 1e9

    def track(self, arm: str, kind: str, name: str, journey: str = "", tool: str = "") -> Track:
        """Return the track of a step or journey; steps of one name, journey and tool share one."""
        key = (arm, kind, name, journey, tool)
        return self._tracks.setdefault(key, Track(*key))

    def started(self, track: Track, lag_ns: int) -> None:
        """Count the beginning of a journey in an open load, and how late it was."""
        tally = track.tallies.get(OK)
        if tally is None:
            tally = track.tallies[OK] = OpenCell()
        tally.add(lag_ns)
        self._starts += 1
        self._late_starts += lag_ns > self.late_ns

    def dropped(self, lag_ns: int) -> None:
        """Count an arrival that found no user; it may have been late before that."""
        self._starts += 1
        self._late_starts += lag_ns > self.late_ns
        self.slots.add(groups.DROPPED, self.clock() - lag_ns)

    def call(
        self, track: Track, journey: str, cls: str, reply: Reply, lag_ns: int | None = None
    ) -> None:
        """Count one call, and keep it whole if it is among the first of its kind.

        `lag_ns` is how much later than intended it was sent; None in a closed load.
        """
        tally = track.tallies.get(cls)
        if tally is None:
            tally = track.tallies[cls] = OpenCell()
            if cls == OK:
                self._sample(track, journey, cls, reply, OK_SAMPLES, lag_ns)
        if cls != OK:
            self._wordings.count(tally.messages, (track.arm, track.name, cls), reply.detail)
            self._sample(track, journey, cls, reply, FAILURE_SAMPLES, lag_ns)
            if cls in UNREACHED:
                self.outages.failed(track.arm, cls, reply, self.calls)
            elif cls not in ENDED:
                self.outages.unreached += 1
        tally.body_bytes += len(reply.body)
        if reply.heard is not None:
            self._hear(track, cls, reply, reply.heard)
        if reply.healed:
            self._heal(track, cls, reply)
        self.calls += 1
        service_ns = reply.end_ns - reply.start_ns
        if lag_ns is None:
            tally.add(service_ns, reply.bytes_in, reply.bytes_out)
        else:
            tally.add(lag_ns + service_ns, reply.bytes_in, reply.bytes_out)
            tally.add_service(service_ns)

    def _hear(self, track: Track, cls: str, reply: Reply, heard: Heard) -> None:
        """Count when the first notification of a call came, and the longest silence after it."""
        first_ns, gap_ns = heard.first_ns - reply.start_ns, heard.longest_silence_ns(reply.end_ns)
        self._count(track, groups.EVENT, cls, first_ns)
        self._count(track, groups.GAP, cls, gap_ns)

    def _count(self, track: Track, kind: str, cls: str, ns: int) -> None:
        """Count a time of a call in addition to the call."""
        further = self.track(track.arm, kind, track.name, track.journey, track.tool)
        further.tallies.setdefault(cls, OpenCell()).add(ns)

    def unheard(self, track: Track, cls: str, reply: Reply) -> None:
        self._count(track, groups.UNHEARD, cls, reply.end_ns - reply.start_ns)

    def _heal(self, track: Track, cls: str, reply: Reply) -> None:
        """Count a call that had to repair its session or connection."""
        self._sessions.lost(track.arm, reply)
        kind = groups.RECOVERY if reply.session_lost else groups.HEALED
        self._count(track, kind, cls, reply.end_ns - reply.start_ns)

    def stopped(self, track: Track, stop: Stop) -> None:
        """Count how long after its cancellation a call ended at the server."""
        self._count(track, groups.STOP, OK if stop.told else TIMEOUT, stop.ns)

    def journey(self, track: Track, cls: str, duration_ns: int, lag_ns: int | None = None) -> None:
        """Count one journey; `duration_ns` runs from its actual start, `lag_ns` is as in `call`."""
        tally = track.tallies.get(cls)
        if tally is None:
            tally = track.tallies[cls] = OpenCell()
        if lag_ns is None:
            tally.add(duration_ns)
        else:
            tally.add(lag_ns + duration_ns)
            tally.add_service(duration_ns)

    def setup(self, arm: str, name: str, reply: Reply) -> None:
        """Count a request that belongs to no turn: opening and closing sessions."""
        track = self._setup.setdefault((arm, name), Track(arm, "call", name))
        tally = track.tallies.setdefault(reply.outcome, OpenCell())
        tally.add(reply.end_ns - reply.start_ns, reply.bytes_in, reply.bytes_out)
        if reply.outcome != OK:
            self._sessions.failed(arm, name, reply)

    def stray(self, arm: str, kind: str, message: bytes) -> None:
        """Count a message that belongs to no call; the first of each kind becomes a note."""
        tallies = self.track(arm, groups.STRAY, kind).tallies
        tallies.setdefault(OK, OpenCell()).add(0, len(message))
        self._note_once(arm, kind, beginning(message), (arm, groups.STRAY, kind))

    def remark(self, arm: str, text: str) -> None:
        """Note once what was odd about a target."""
        self._note_once(arm, "remark", f"{arm}: {text}", (arm, "remark", text))

    def _note_once(self, arm: str, code: str, text: str, key: tuple[str, str, str]) -> None:
        if key not in self._shown:
            self._shown.add(key)
            note = journal.Note(at_s=self.now_s(), code=code, text=text, arm=arm, node=self.node)
            self._samples.append(note)

    def stream(self, arm: str, what: str, ns: int) -> None:
        """Count what became of the stream of a session."""
        self.track(arm, groups.STREAM, what).tallies.setdefault(OK, OpenCell()).add(ns)

    def tell_each(self) -> None:
        """Report each call to Locust separately from now on, because somebody else listens, too."""
        self._feed()
        self.feed = None

    def _feed(self) -> None:
        if self.feed is not None:
            self.feed.take(
                (track.row, cls, tally)
                for track in self._all_tracks()
                if track.row is not None
                for cls, tally in track.tallies.items()
            )

    def _all_tracks(self) -> Iterator[Track]:
        return (one for track in self._tracks.values() for one in track.all())

    def flush(self, health: journal.Health) -> None:
        self._feed()
        now_ns = self.clock()
        at_s = (self._since_ns - self._zero_ns) / 1e9
        seconds = (now_ns - self._since_ns) / 1e9
        self._since_ns = now_ns
        cells = [cell for track in self._all_tracks() for cell in track.take()]
        cells += self.slots.take(self._arm)
        if self._starts:
            health = replace(health, starts=self._starts, late_starts=self._late_starts)
            self._starts = self._late_starts = 0
        main = journal.Slice(
            node=self.node,
            turn=self.turn,
            at_s=at_s,
            seconds=seconds,
            cells=cells,
            health=health,
            draining=self.draining,
        )
        records: list[journal.AnyRecord] = [main]
        setup = [cell for track in self._setup.values() for cell in track.take()]
        if setup:
            idle = journal.Health(cpu_s=0.0, wall_s=0.0)
            changed = {"turn": journal.SETUP, "cells": setup, "health": idle, "draining": False}
            records.append(replace(main, **changed))
        kept, self._samples = self._samples, []
        over = self.outages.take(self._arm, self.calls)
        seen = [look.take(self.turn) for look in self.looks if look.looked]
        notes = self._sessions.take(self.node, at_s)
        self.sink([*records, *over, *notes, *kept, *seen])

    def _sample(
        self, track: Track, journey: str, cls: str, reply: Reply, limit: int, lag_ns: int | None
    ) -> None:
        key = ("", "", OK) if cls == OK else (track.arm, track.name, cls)
        kept = self._kept.get(key, 0)
        if kept >= limit:
            return
        self._kept[key] = kept + 1
        duration_ns = reply.end_ns - reply.start_ns
        self._samples.append(
            journal.SampleRecord(
                turn=self.turn,
                at_s=self.now_s(),
                arm=track.arm,
                journey=journey,
                step=track.name,
                cls=cls,
                latency_ns=duration_ns + (lag_ns or 0),
                service_ns=duration_ns,
                bytes_in=reply.bytes_in,
                bytes_out=reply.bytes_out,
                detail=reply.detail,
                reply=self._first((track.arm, track.name, cls), reply),
            )
        )

    def _first(self, kind: tuple[str, str, str], reply: Reply) -> str:
        """Return what the first reply of a kind says; nothing for later ones."""
        if kind in self._shown:
            return ""
        self._shown.add(kind)
        return shown(reply.body)

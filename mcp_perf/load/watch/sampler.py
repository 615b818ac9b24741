"""Samples what an arm's target uses during its turn, in the process that writes the journal.

A target is read about once a second, and exactly at the start and the end of each turn. No call is
in flight then, so the CPU time of a turn belongs to the calls of this turn.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import gevent
from gevent.event import Event

from mcp_perf.load.hub.waiting import in_a_thread
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.watch.process_tree import Reading
from mcp_perf.load.watch.prometheus import NoMetrics
from mcp_perf.load.watch.sources import Reader, Source, StartedProcesses
from mcp_perf.results.journal.records import SETUP, AnyRecord, Note, ResourceSample

PERIOD_S: Final = 1.0
REFRESH_S: Final = 10.0
"""Seconds between two searches for new processes within a turn."""
SLOW_S: Final = 0.002
"""A slower reading must not keep the users waiting, so the next one is done in a thread."""

OffHub = Callable[[Callable[[], Any]], Any]


@dataclass(eq=False)
class Sampler:
    """Reads the target of the arm whose turn it is; the conductor says when a turn begins."""

    sources: Mapping[str, Source]
    write: Callable[[list[AnyRecord]], None]
    now_s: Callable[[], float]
    off_hub: OffHub = in_a_thread
    _slow: set[str] = field(default_factory=set)
    _lost: set[str] = field(default_factory=set)
    _over: Event = field(default_factory=Event)
    _greenlet: gevent.Greenlet | None = None

    def __post_init__(self) -> None:
        every = self.sources.items()
        self._readers = {arm: one.reader for arm, one in every if one.reader is not None}

    def begin(self, turn: Turn) -> list[AnyRecord]:
        """Read the target before the first call of a turn, and then every second until `end`."""
        reader = self._readers.get(turn.arm)
        if reader is None:
            return []
        self._refresh(reader)
        first = self._sample(turn, reader)
        self._over.clear()
        self._greenlet = gevent.spawn(self._go_on, turn, reader)
        return first

    def end(self, turn: Turn) -> list[AnyRecord]:
        reader = self._readers.get(turn.arm)
        if reader is None or self._greenlet is None:
            return []
        self._over.set()
        self._greenlet.join()
        self._greenlet = None
        self._refresh(reader)
        return self._sample(turn, reader)

    def look(self) -> list[AnyRecord]:
        """Read the memory of all targets outside of turns; leave out those that cannot be read."""
        found: list[AnyRecord] = []
        for arm, reader in self._readers.items():
            self._refresh(reader)
            if isinstance(reader, StartedProcesses) and not reader.pids:
                found.append(self._record(SETUP, arm, Reading(rss_bytes=0)))
                continue
            with contextlib.suppress(NoMetrics, OSError):
                found.append(self._record(SETUP, arm, self._read(arm, reader)))
        return found

    def _go_on(self, turn: Turn, reader: Reader) -> None:
        refreshed_s = self.now_s()
        while not self._over.wait(PERIOD_S):
            if self.now_s() - refreshed_s >= REFRESH_S:
                refreshed_s = self.now_s()
                self._refresh(reader)
            self.write(self._sample(turn, reader))

    def _refresh(self, reader: Reader) -> None:
        if reader.blocks:
            self.off_hub(reader.refresh)

    def _sample(self, turn: Turn, reader: Reader) -> list[AnyRecord]:
        """Read the target; if that fails, the reading is empty, and a note says so once."""
        notes: list[AnyRecord] = []
        try:
            reading = self._read(turn.arm, reader)
        except (NoMetrics, OSError) as error:
            reading = Reading()
            notes = self._lose(turn.arm, str(error))
        return [self._record(turn.number, turn.arm, reading), *notes]

    def _record(self, turn: int, arm: str, reading: Reading) -> ResourceSample:
        return ResourceSample(turn=turn, at_s=self.now_s(), arm=arm, **asdict(reading))

    def _read(self, arm: str, reader: Reader) -> Reading:
        if arm in self._slow:
            reading: Reading = self.off_hub(reader.read)
            return reading
        began_s = time.perf_counter()
        reading = reader.read()
        if reader.blocks and time.perf_counter() - began_s > SLOW_S:
            self._slow.add(arm)
        return reading

    def _lose(self, arm: str, why: str) -> list[AnyRecord]:
        if arm in self._lost:
            return []
        self._lost.add(arm)
        text = f"CPU and memory of the target of {arm} are unknown from here on: {why}"
        return [Note(at_s=self.now_s(), code="resources_lost", text=text, arm=arm)]

"""The journal: an append-only file of JSON lines, the one source of every report.

Everything about the format lives here. A run writes one `RunStarted`, then for each turn (a time in
which exactly one arm runs alone) `TurnStarted`, `Slice` about once a second, `TurnEnded` per node,
and `RunEnded` at last. A journal without its last record is a run that was cut off.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

FORMAT: Final = "mcp-perf/journal/1"
SETUP: Final = -1
"""The turn of what belongs to none: opening and closing sessions, listing tools."""


class Record(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One line of the journal. Times ending in `_s` are seconds since the run's start."""


class RunStarted(Record, tag="run", frozen=True, kw_only=True):
    """What was planned, on which machine, against which targets."""

    format: str = FORMAT
    run_id: str
    started: str
    """Wall clock, ISO 8601 UTC with a final Z: a label, never used in arithmetic."""
    scenario: str
    title: str
    scenario_text: str
    seed: int
    arms: dict[str, dict[str, Any]]
    """Per arm: `target` (shown), `protocol` (negotiated, or "")."""
    gates: list[str]
    limits: dict[str, float]
    load: dict[str, Any]
    environment: dict[str, Any]


class TurnStarted(Record, tag="turn", frozen=True, kw_only=True):
    """An arm begins to run alone."""

    turn: int
    arm: str
    phase: str
    """`warmup` or `round`."""
    round: int
    """From 1; the warm-up is round 0."""
    at_s: float
    planned_s: float


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The calls of one arm, one step and one class in one slice (or whole journeys)."""

    arm: str
    kind: str
    """`call` or `journey`."""
    name: str
    """The step (`tools/call echo`, `GET /users`), or the journey."""
    cls: str
    """A journey's class is `ok` or that of the step which ended it."""
    n: int
    total_ns: int
    min_ns: int
    max_ns: int
    bytes_in: int = 0
    bytes_out: int = 0
    latency: list[int]
    """Pairs, flattened: bucket index, count (see `reports.histogram`). From the intended start."""
    service: list[int] = []
    """The same from the actual send; empty where it equals `latency` (closed load)."""
    service_total_ns: int = 0


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The generator's own state in one slice."""

    cpu_s: float
    """CPU seconds this process used, by the operating system."""
    wall_s: float
    lag: list[int] = []
    """Pairs, flattened: by how many ns the hub woke late (same buckets)."""
    late_starts: int = 0
    starts: int = 0


class Slice(Record, tag="slice", frozen=True, kw_only=True):
    """What one node recorded in about one second."""

    node: str
    turn: int
    at_s: float
    seconds: float
    cells: list[Cell]
    health: Health


class TurnEnded(Record, tag="turn_end", frozen=True, kw_only=True):
    """A node's calls of this turn have drained."""

    turn: int
    node: str
    users: int
    busy_s: float
    """Mean over users of the time from the turn's start to the end of the user's last journey,
    at least the turn's planned length: the denominator of throughput."""
    planned: int
    dropped: int = 0


class SampleRecord(Record, tag="sample", frozen=True, kw_only=True):
    """One call kept whole: failures (bounded per class) and a bounded sample of the rest."""

    turn: int
    at_s: float
    arm: str
    journey: str
    step: str
    cls: str
    latency_ns: int
    service_ns: int
    bytes_in: int
    bytes_out: int
    detail: str = ""
    """What went wrong, with the beginning of the reply; redacted."""


class Note(Record, tag="note", frozen=True, kw_only=True):
    """Something a reader of the numbers must know."""

    at_s: float
    code: str
    """`session_lost`, `worker_lost`, `system_died`, `interrupted_round`, …"""
    text: str
    arm: str = ""
    count: int = 1


class RunEnded(Record, tag="end", frozen=True, kw_only=True):
    """The run is over; whatever ended it."""

    at_s: float
    reason: str
    """`finished`, or `signal`, `stopped` (in the web UI), `error`."""


AnyRecord = (
    RunStarted | TurnStarted | Slice | TurnEnded | SampleRecord | Note | RunEnded
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class JournalWriter:
    """Append records to a file; `flush` once a second makes them survive a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("xb")

    def write(self, record: AnyRecord) -> None:
        """Append one record. Raises OSError when the disk is full."""
        self._file.write(_encoder.encode(record) + b"\n")

    def flush(self) -> None:
        """Hand everything to the operating system, so that only a power cut can lose it."""
        self._file.flush()

    def close(self) -> None:
        """Flush, sync to the disk and close."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def read(path: Path) -> Iterator[AnyRecord]:
    """Yield the records of a journal; a torn last line (a crash) ends it without an error."""
    with path.open("rb") as file:
        for line in file:
            try:
                yield _decoder.decode(line)
            except msgspec.DecodeError:
                if line.endswith(b"\n"):
                    raise

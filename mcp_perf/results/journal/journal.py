"""The journal: an append-only file of JSON lines, the one source of every report.

A journal without its last record is a run that was cut off.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, get_args

import msgspec
from msgspec.structs import replace

from mcp_perf.results.journal import records
from mcp_perf.results.journal.lock import hold
from mcp_perf.results.journal.redact import Redactor


class JournalError(Exception):
    """A journal cannot be read; the message says what is wrong, and in which line."""


LONGEST_LINE: Final = 64 * 1024 * 1024
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[records.AnyRecord] = msgspec.json.Decoder(records.AnyRecord)


class JournalWriter:
    """Append records to a file; `flush` once a second makes them survive a crash.

    A redactor removes the secrets from every text before it is written.
    """

    def __init__(self, path: Path, redactor: Redactor | None = None) -> None:
        self.path = path
        self._redactor = redactor
        self._file: BinaryIO = path.open("xb")
        hold(self._file)
        self._failed: OSError | None = None

    def write(self, record: records.AnyRecord) -> None:
        """Append one record. Raises OSError when the disk is full."""
        if self._redactor is not None:
            record = redacted(record, self._redactor)
        line = _encoder.encode(record) + b"\n"
        self._try(lambda: self._file.write(line))

    def flush(self) -> None:
        """Make records survive anything but a power cut. Raises OSError when the disk is full."""
        self._try(self._file.flush)

    def close(self) -> None:
        """Flush, sync to the disk and close. Raises OSError when the disk is full."""
        try:
            if self._failed is None:
                self.flush()
                self._try(lambda: os.fsync(self._file.fileno()))
        finally:
            # After a failure, the rest of the buffer would be tried again, and fail again.
            with contextlib.suppress(OSError):
                self._file.close()

    def _try(self, write: Callable[[], object]) -> None:
        """Write, unless a write failed before: a line after a torn one would be lost, too."""
        if self._failed is not None:
            raise self._failed
        try:
            write()
        except OSError as error:
            message = f"{error.strerror}; the journal ends with what was written before"
            self._failed = OSError(error.errno, message, str(self.path))
            raise self._failed from error


def redacted(record: records.AnyRecord, redactor: Redactor) -> records.AnyRecord:
    """Return the record with secrets removed from every text that a target or a user wrote."""
    if isinstance(record, records.Slice):
        cells = [_redacted_cell(cell, redactor) for cell in record.cells]
        return replace(record, cells=cells)
    names = _WRITTEN.get(type(record), ())
    return replace(record, **{name: redactor.everywhere(getattr(record, name)) for name in names})


def _redacted_cell(cell: records.Cell, redactor: Redactor) -> records.Cell:
    name = redactor.text(cell.name)
    if not cell.messages:
        return replace(cell, name=name)
    messages = Counter[str]()
    for text, n in cell.messages.items():
        messages[redactor.text(text)] += n
    return replace(cell, name=name, messages=dict(messages))


_WRITTEN: Final[Mapping[type, Iterable[str]]] = {
    records.SampleRecord: ("step", "detail", "reply"),
    records.LookedReplies: ("step", "example"),
    records.Note: ("text",),
    records.RunStarted: ("title", "scenario_text", "arms", "load", "environment"),
}
"""The fields of a record that a target or a user wrote."""


def read(path: Path) -> Iterator[records.AnyRecord]:
    """Yield the records of a journal; a torn last line (a crash) ends it without an error.

    Raises JournalError, with the number of the line, when a line cannot be understood.
    """
    with path.open("rb") as file:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
            if len(line) == LONGEST_LINE:
                long = "is longer than any line that mcp-perf writes."
                raise JournalError(f"{path}, line {number} {long}")
            if not line.endswith(b"\n") and not _is_whole(line):
                return
            yield decoded(line, f"{path}, line {number}")


def _is_whole(line: bytes) -> bool:
    with contextlib.suppress(msgspec.DecodeError):
        msgspec.json.decode(line)
        return True
    return False


def decoded(line: bytes, where: str) -> records.AnyRecord:
    """Return the record of a line. Raises JournalError, whose message begins with `where`."""
    try:
        record = _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise JournalError(f"{where}: {_foreign(line, error)}") from error
    except msgspec.DecodeError as error:
        raise JournalError(f"{where}: this is not a record of a run ({error}).") from error
    if isinstance(record, records.RunStarted) and record.format != records.FORMAT:
        other = f"has the format {record.format}, but this mcp-perf reads {records.FORMAT}."
        raise JournalError(f"{where} {other}")
    return record


def _foreign(line: bytes, error: msgspec.ValidationError) -> str:
    decoded = msgspec.json.decode(line)
    kind = decoded.get("type") if isinstance(decoded, dict) else None
    known = {kind.__struct_config__.tag for kind in get_args(records.AnyRecord)}
    if isinstance(kind, str) and kind in known:
        return f"the record {kind!r} is invalid: {error}"
    by = f"perhaps written by a newer mcp-perf; this one reads {records.FORMAT}."
    return f"a record of the type {kind!r}, {by}"

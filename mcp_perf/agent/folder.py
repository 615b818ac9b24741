"""Reads a folder of records: each run counts once, and files that cannot be read are listed."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from mcp_perf.agent.prices import with_cost
from mcp_perf.agent.records import TaskRecord, Unreadable, as_row, read

_APART_MS: Final = 1000
"""Two files describe the same run if it started in the same second."""


_ROWS_ONLY: Final = ("mcpServer", "mcpClient", "notes")
"""Keys of a summary's row that the file of a run does not have."""


class FoundRecord(NamedTuple):
    """A record, and where it was found: the file, and the place in its list."""

    where: str
    file: Path
    record: TaskRecord


@dataclass
class Import:
    """The content of a folder."""

    found: list[FoundRecord] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Files and rows that are not records, each with the reason."""
    remarks: list[str] = field(default_factory=list)
    """What was changed, and which records are there twice."""

    @property
    def records(self) -> list[TaskRecord]:
        return [one.record for one in self.found]


def read_folder(folder: Path) -> Import:
    """Read all JSON files of a folder and of those in it, or one file. Raises OSError."""
    paths = [folder]
    if folder.is_dir():
        paths = [path for path in sorted(folder.rglob("*.json")) if path.is_file()]
    elif not folder.exists():
        raise FileNotFoundError(2, "there is no such folder")
    base = folder if folder.is_dir() else folder.parent
    result = Import()
    lists: list[FoundRecord] = []
    single: list[FoundRecord] = []
    for path in paths:
        name = path.relative_to(base).as_posix()
        for where, raw in _parts(path, name, result.unread):
            try:
                record, changes = read(raw, path.name)
            except Unreadable as reason:
                result.unread.append(f"{where}: {reason}")
                continue
            if changes:
                result.remarks.append(f"{where}: {'; '.join(changes)}")
            (single if where == name else lists).append(FoundRecord(where, path, with_cost(record)))
    _once(chain(lists, single), result)
    return result


def _parts(path: Path, name: str, unread: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the records of a file, unchanged: the whole file, or the members of its list."""
    try:
        # Bytes, because JSON shows its encoding itself, with or without a byte-order mark.
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        unread.append(f"{name}: {said or type(error).__name__}")
        return
    if isinstance(raw, list):
        yield from ((f"{name}, row {number}", one) for number, one in enumerate(raw, 1))
    else:
        yield name, raw


def _once(found: Iterable[FoundRecord], result: Import) -> None:
    """Count each run once: all rows of a summary count, but not a file that repeats a row."""
    known: defaultdict[tuple[Any, ...], list[FoundRecord]] = defaultdict(list)
    for one in found:
        record = one.record
        same = known[record.mode, record.task_id, str(record.directory_id)]
        if twin := next((other for other in same if _is_twin(one, other)), None):
            differs = ", ".join(_differences(twin.record, record))
            told = f", which is counted; they differ in {differs}" if differs else ""
            result.remarks.append(f"{one.where} is the same record as {twin.where}{told}")
            continue
        if record.directory_id is not None and same:
            told = "is the same as" if record == same[0].record else "has the same id as"
            result.remarks.append(f"{one.where} {told} {same[0].where}; both count")
        same.append(one)
        result.found.append(one)


def _is_twin(one: FoundRecord, other: FoundRecord) -> bool:
    """Tell whether two files describe the same run: by its start, or by all keys that both have."""
    a, b = one.record, other.record
    if one.file == other.file or a.directory_id is None:
        return False
    if a.model and b.model and a.model != b.model:
        return False
    if a.start_time and b.start_time and abs(a.start_time - b.start_time) < _APART_MS:
        return True
    return not {*_differences(a, b)} - {"startTime", "endTime"}


def _differences(one: TaskRecord, other: TaskRecord) -> list[str]:
    """Return the keys that two records both have, with different values."""
    rows = as_row(one), as_row(other)
    return [
        key
        for key, value in rows[0].items()
        if key not in _ROWS_ONLY and None not in (value, rows[1][key]) and value != rows[1][key]
    ]

"""What is recorded about an agent at a task: the record of 18 keys, and the summary's row of 20.

Both become a `TaskRecord`. Older shapes are read, too: seconds for milliseconds, lists for counts,
`taskId` for `taskNumber`, numbers and booleans as texts. A record that cannot be understood raises
`Unreadable`, because half a record would change a mean.
"""

import calendar
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from mcp_perf.agent.tasks import MODES

Number = int | float
Text = str | None

_EPOCH_MS: Final = 1e11
"""A lower time is in seconds. As ms, the bound is a day in 1973; as seconds, in the year 5138."""
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""
_MOST: Final = 1e18
_SHORTEST_MS: Final = 1000
"""The shortest duration of a task: if nothing else shows the unit, less is in seconds."""
_CLOSE: Final = 0.1
"""The fraction by which a duration may differ from the time between start and end."""
_ISO: Final = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):([0-5]\d)"
    r"(?::([0-5]\d)(\.\d+)?)?(?:Z|([+-])(\d\d):?(\d\d))?"
)
"""Without an offset it is taken to be UTC."""
_YES: Final = frozenset(("true", "yes", "1", "success", "successful", "passed", "completed"))
_NO: Final = frozenset(("false", "no", "0", "failure", "failed", "error", "incomplete"))
_NAME: Final = re.compile(r"(?i)(control|mcp)_task(\d+)_(.+)\.json")


class Unreadable(Exception):  # noqa: N818 -- why a record is not read
    """Something is not the record of a task; the message says why."""


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One run of one agent at one task. Times are in ms; None if nobody recorded it."""

    task_id: int
    directory_id: str | int | None
    mode: str
    """`control` or `mcp`."""
    model: Text = None
    mcp_server: Text = ""
    mcp_client: Text = ""
    start_time: Number | None = None
    end_time: Number | None = None
    duration: Number | None = None
    api_calls: Number | None = None
    interactions: Number | None = None
    tokens_in: Number | None = None
    tokens_out: Number | None = None
    total_tokens: Number | None = None
    cache_writes: Number | None = None
    cache_reads: Number | None = None
    conversation_history_index: Number | None = None
    cost: Number | None = None
    """In dollars."""
    success: bool | None = None
    notes: Text = ""
    completed: bool = True

    @property
    def run(self) -> str:
        """Name the run, as outliers are named."""
        return f"{self.mode} task {self.task_id} {self.directory_id}"

    @property
    def file(self) -> str:
        """Name its file; anybody may choose an id, and it must not lead out of the folder."""
        harmless = re.sub(r"[^\w.-]", "_", str(self.directory_id))[:100]
        return f"{self.mode}_task{self.task_id}_{harmless}.json"


_ENCODED: Final = TaskRecord.__struct_encode_fields__
_KEYS: Final = dict(zip(TaskRecord.__struct_fields__, _ENCODED, strict=True))
SUMMARY_KEYS: Final = tuple(key for key in _KEYS.values() if key != "completed")
RECORD_KEYS: Final = (
    *("mode", "taskNumber", "directoryId", "model", "startTime", "completed", "apiCalls"),
    *("interactions", "tokensIn", "tokensOut", "totalTokens", "cacheWrites", "cacheReads"),
    *("conversationHistoryIndex", "cost", "success", "endTime", "duration"),
)


class ReadRecord(NamedTuple):
    """A record, and what was changed or left out to get it."""

    record: TaskRecord
    changes: list[str]


def as_record(record: TaskRecord) -> dict[str, Any]:
    """Return the task record of 18 keys, in their order."""
    known = msgspec.to_builtins(record)
    return {key: known["taskId" if key == "taskNumber" else key] for key in RECORD_KEYS}


def as_row(record: TaskRecord) -> dict[str, Any]:
    """Return the summary's row of 20 keys, in their order."""
    known = msgspec.to_builtins(record)
    return {key: known[key] for key in SUMMARY_KEYS}


def encode(value: Any) -> str:
    """Write JSON as in the files: indented by two."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def read(raw: Any, file: str = "") -> ReadRecord:
    """Read a record or a row of any shape, and what the file's name adds. Raises Unreadable."""
    if not isinstance(raw, Mapping):
        raise Unreadable("this is not a JSON object")
    if not {"mode", "taskNumber", "taskId", "startTime", "apiCalls"} & raw.keys():
        known = "neither mode, taskNumber nor taskId"
        raise Unreadable(f"this is not a record of a task: it has {known}")
    changes: list[str] = []
    named = _NAME.fullmatch(file)
    mode, task, directory = named.groups() if named else (None, None, None)
    found: dict[str, Any] = {}
    given = raw.get("taskNumber") if raw.get("taskNumber") is not None else raw.get("taskId")
    change: Callable[[Any], Any]
    for field, value, from_file, change in (
        ("mode", raw.get("mode"), mode, _mode),
        ("task_id", given, task, _task),
        ("directory_id", raw.get("directoryId"), directory, _directory),
    ):
        if value is None and from_file is not None:
            changes.append(f"{_KEYS[field]} is taken from the name of the file")
        found[field] = change(value if value is not None else from_file)
    for field, change in _FIELDS.items():
        key = _KEYS[field]
        if key in raw:
            found[field] = _changed(key, raw[key], change, changes)
    if foreign := [key for key in raw if key not in {*_KEYS.values(), "taskNumber"}]:
        ignored = ", ".join(map(str, foreign))
        changes.append(f"ignored, because records do not have these keys: {ignored}")
    found.setdefault("completed", bool(found.get("end_time")))
    _in_ms(raw, found, changes)
    tokens = [found.get(name) for name in ("tokens_in", "tokens_out")]
    if found.get("total_tokens") is None and None not in tokens:
        found["total_tokens"] = sum(filter(None, tokens))
        changes.append("totalTokens is the sum of tokensIn and tokensOut")
    return ReadRecord(TaskRecord(**found), changes)


def _changed(key: str, value: Any, change: Callable[[Any], Any], changes: list[str]) -> Any:
    try:
        known = change(value)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{key}: {error}") from None
    if known != value or type(known) is not type(value):
        shown = "a list" if isinstance(value, list) else repr(value)
        changes.append(f"{key}: {shown} is read as {known!r}")
    return known


def _mode(value: Any) -> str:
    mode = str(value).strip().lower()
    if mode not in MODES:
        raise Unreadable("mode is missing" if value is None else f"mode {value!r} is not a mode")
    return mode


def _task(value: Any) -> int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    found = re.fullmatch(r"(?i)\s*(?:task)?[\s_-]*(\d{1,9})\s*", str(whole))
    if found is None or isinstance(value, bool):
        raise Unreadable("task is missing" if value is None else f"task {value!r} is not a number")
    return int(found[1])


def _directory(value: Any) -> str | int | None:
    if isinstance(value, str | int | None) and not isinstance(value, bool):
        return value
    raise Unreadable(f"directoryId {value!r} is neither a text nor a whole number")


def _text(value: Any) -> Text:
    if isinstance(value, str | None):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"{value!r} is not a text")


def _number(value: Any) -> Number | None:
    """Read a number that is not negative; texts hold numbers in older records."""
    known: Any = value
    if isinstance(value, str):
        text = value.strip().removeprefix("$").replace(",", "")
        if not text:
            return None
        known = int(text) if text.isdecimal() else float(text)
    is_number = isinstance(known, int | float) and not isinstance(known, bool)
    if known is not None and not (is_number and 0 <= known < _MOST):
        raise ValueError(f"{value!r} is out of range for a number")
    return cast("Number | None", known)


def _count(value: Any) -> Number | None:
    return len(value) if isinstance(value, list) else _number(value)


def _index(value: Any) -> Number | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else _number(value)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool | None):
        return value
    word = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    word = word.strip().lower()
    if word in _YES | _NO:
        return word in _YES
    raise ValueError(f"{value!r} is neither true nor false")


def _moment(value: Any) -> Number | None:
    """Read a time of day; a text may be one of ISO 8601."""
    try:
        known = _number(value)
    except ValueError:
        if not isinstance(value, str):
            raise
        return _iso_ms(value)
    if known is not None and known > _LAST_MS:
        raise ValueError(f"{value!r} is not a time in ms or s")
    if known is None or known >= _EPOCH_MS or known == 0:
        return known
    return round(known * 1000)


def _iso_ms(text: str) -> int:
    found = _ISO.fullmatch(text.strip())
    if found is None or int(found[3]) > calendar.monthrange(int(found[1]), int(found[2]))[1]:
        raise ValueError(f"{text!r} is not a time")
    *day, hour, minute, second, part, sign, hours, minutes = found.groups()
    when = tuple(int(one or 0) for one in (*day, hour, minute, second))
    off_s = int(f"{sign or '+'}1") * 60 * (60 * int(hours or 0) + int(minutes or 0))
    known = 1000 * (calendar.timegm(when) - off_s) + round(1000 * float(part or 0))
    if not 0 <= known <= _LAST_MS:
        raise ValueError(f"{text!r} is not a time from 1970 to 9999")
    return known


def _in_ms(raw: Mapping[str, Any], found: dict[str, Any], changes: list[str]) -> None:
    """Convert the duration to ms, by the record's times, or else by how long tasks take."""
    start, end, given = (found.get(name) for name in ("start_time", "end_time", "duration"))
    span = end - start if start and end else None
    if span is not None and span < 0:
        if given is None:
            raise Unreadable("it ends before it starts, and duration is missing")
        changes.append("it ends before it starts")
        span = None
    if given is None:
        if span is not None:
            found["duration"] = span
            changes.append("duration is the time from startTime to endTime")
        return
    if given and _is_in_seconds(given, span, raw.get("startTime")):
        found["duration"] = round(1000 * given)
        changes.append(f"duration: {given!r} s is read as {found['duration']} ms")


def _is_in_seconds(given: Number, span: Number | None, start: Any) -> bool:
    """Tell whether a duration is in seconds, by the record's times if they are known."""
    if span is not None and abs(given - span) <= max(1, span * _CLOSE):
        return False
    if span is not None and abs(1000 * given - span) <= max(1000, span * _CLOSE):
        return True
    return given < _SHORTEST_MS or (isinstance(start, int | float) and 0 < start < _EPOCH_MS)


_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("model", "mcp_server", "mcp_client", "notes"), _text),
    **dict.fromkeys(("start_time", "end_time"), _moment),
    **dict.fromkeys(("duration", "tokens_in", "tokens_out", "total_tokens", "cost"), _number),
    **dict.fromkeys(("cache_writes", "cache_reads"), _number),
    **dict.fromkeys(("api_calls", "interactions"), _count),
    **dict.fromkeys(("success", "completed"), _truth),
    "conversation_history_index": _index,
}

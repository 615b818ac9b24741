"""Recordings: the calls that agents made, one a line, and when their sessions began.

`mcp-perf agent record` writes them. A line that begins with `schema` is the head of one recorder's
lines; all others are calls. A head has the time of day; the times of its calls run from it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import msgspec

from mcp_perf.outcomes import OK, RPC_ERROR, TOOL_ERROR
from mcp_perf.scenario.problems.wording import InputError, quote

SCHEMA: Final = "mcp-perf/recording/1"
JOURNEY: Final = "session-{}"
"""The journey of a session, by the number of the first session that has the same calls."""
STEPS: Final = {
    "tools/call": "call",
    "resources/read": "read",
    "prompts/get": "prompt",
    "completion/complete": "complete",
    "tools/list": "list",
    "resources/list": "list",
    "resources/templates/list": "list",
    "prompts/list": "list",
}
"""Method -> the kind of step that makes such a call."""
_EXPECTED: Final = (TOOL_ERROR, RPC_ERROR)
_PAGE: Final = "a further page"
_OURS: Final = ("initialize", "server/discover", "ping", _PAGE)
"""What the load generator does anyway."""
_LARGEST_FILE: Final = 256 * 1024 * 1024
_MARK: Final = b'{"schema":'
_FEWEST_USERS: Final = 10
_MOST_USERS: Final = 200


class RecordingHead(msgspec.Struct, kw_only=True):
    """What holds for the lines that follow it, up to the next one."""

    schema: str
    started: str
    """The time of day."""
    target: str
    """As a line, such as `stdio:COMMAND`."""
    cwd: str = ""
    arguments: bool = False
    """Whether arguments and results were kept."""


class RecordedCall(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A request of an agent, and how it ended."""

    at_ms: float
    """From the start of its recorder to the request."""
    session: str
    protocol: str = ""
    transport: str
    """`stdio`, `http` or `sse`."""
    method: str
    tool: str = ""
    ms: float
    outcome: str
    """A class; `interrupted` if the agent gave it up, or had no answer when the recording ended."""
    detail: str = ""
    bytes_out: int
    bytes_in: int = 0
    """Of the two messages."""
    tokens_out: int = 0
    """Estimated, of the arguments: a model wrote them."""
    tokens_in: int = 0
    """Estimated, of the result: a model reads it."""
    asks: bool = False
    """Whether the result asked the user for something; the agent then called again."""
    arguments: dict[str, Any] | None = None
    """Of a tool; of any other request, its parameters."""
    result: Any = None

    @property
    def end_ms(self) -> float:
        return self.at_ms + self.ms


@dataclass(frozen=True)
class Recording:
    """The calls that a scenario can make again, by their sessions."""

    target: str
    cwd: str
    protocol: str
    sessions: Mapping[str, list[RecordedCall]]
    """In the order of their first calls; times run from the first call of all."""
    left: Mapping[str, int] = field(default_factory=dict)
    """What is not made again -> how often it was recorded."""

    def leaders(self) -> dict[str, int]:
        """Return session -> number of the first session with the same calls, counted from 1."""
        first: dict[bytes, int] = {}
        numbered = enumerate(self.sessions.items(), 1)
        return {name: first.setdefault(_content(calls), at) for at, (name, calls) in numbered}

    @property
    def at_once(self) -> int:
        """How many sessions were under way at once, at most."""
        moments = sorted(
            moment
            for calls in self.sessions.values()
            for moment in ((calls[0].at_ms, 1), (max(call.end_ms for call in calls), -1))
        )
        return max(accumulate(change for _, change in moments))


@dataclass(frozen=True)
class ReplayPlan:
    """When journeys begin, as sessions did."""

    starts_ns: tuple[int, ...]
    """From the beginning of a round, ascending, no two alike."""
    journeys: Mapping[int, str]
    """Start -> its journey; empty if journeys are dealt by their weights."""
    seconds: float
    most_users: int

    def only(self, names: Collection[str]) -> "ReplayPlan":
        """Leave out the sessions of other journeys."""
        if not self.journeys:
            return self
        kept = {at_ns: name for at_ns, name in self.journeys.items() if name in names}
        return replace(self, starts_ns=tuple(kept), journeys=kept)


def is_recording(path: Path) -> bool:
    """Tell whether a file is a recording, by how it begins."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK
    except OSError:
        return False


def read_recording(path: Path) -> Recording:
    """Read a recording whose arguments were kept. Raises InputError.

    A message names the file and the line, and never quotes what is in it.
    """
    heads: list[RecordingHead] = []
    calls: list[RecordedCall] = []
    left: Counter[str] = Counter()
    for head, call in _lines(path, heads):
        if why := _why_not(call):
            left[why] += 1
        else:
            call.at_ms += 1000 * (_moment(head) - _moment(heads[0]))
            calls.append(call)
    if not all(head.arguments for head in heads):
        hint = "record it with mcp-perf agent record --keep-arguments"
        raise InputError(f"{quote(path.name)} was recorded without its arguments", hint)
    if len({head.target for head in heads}) > 1:
        raise InputError(f"{quote(path.name)} has several targets", "record each into its own file")
    worked = {_shape(call) for call in calls if call.outcome == OK}
    failed = [call for call in calls if _shape(call) not in worked]
    left.update(f"{call.tool or call.method} that never succeeded" for call in failed)
    calls = [call for call in calls if _shape(call) in worked]
    if not calls:
        message = f"{quote(path.name)} has no call that can be replayed"
        raise InputError(message, "record calls that succeed")
    return _sorted(heads[0], calls, left)


def schedule(recording: Recording, names: Collection[str]) -> ReplayPlan:
    """Lay out a recording for the journeys of a scenario. Raises InputError.

    A session takes the journey with its name. If no journey has the name of a session, they are
    dealt as in any other load.
    """
    leaders = {one: JOURNEY.format(number) for one, number in recording.leaders().items()}
    starts: dict[int, str] = {}
    for session, calls in recording.sessions.items():
        starts[max(round(calls[0].at_ms * 1e6), next(reversed(starts), -1) + 1)] = leaders[session]
    named = {name for name in leaders.values() if name in names}
    if named and (missing := sorted({*leaders.values()} - named)):
        hint = f"name a journey {missing[0]}, or make the scenario again: mcp-perf init --from"
        message = f"the recording has a session {missing[0]}, but there is no such journey"
        raise InputError(message, hint)
    ends_ms = max(call.end_ms for calls in recording.sessions.values() for call in calls)
    users = min(len(starts), max(2 * recording.at_once, _FEWEST_USERS), _MOST_USERS)
    return ReplayPlan(tuple(starts), starts if named else {}, max(1.0, ends_ms / 1000), users)


def _lines(path: Path, heads: list[RecordingHead]) -> Iterator[tuple[RecordingHead, RecordedCall]]:
    """Yield the calls, each with its head. The last line may be torn."""
    name = quote(path.name)
    if path.stat().st_size > _LARGEST_FILE:
        hint = "remove some of its lines: each is one call"
        raise InputError(f"{name} is larger than 256 MiB", hint)
    if not is_recording(path):
        raise InputError(f"{name} is not a recording", "make one with mcp-perf agent record")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.startswith(_MARK):
                    heads.append(msgspec.json.decode(line, type=RecordingHead))
                    _moment(heads[-1])
                else:
                    yield heads[-1], msgspec.json.decode(line, type=RecordedCall)
            except (msgspec.DecodeError, ValueError, RecursionError):
                if line.endswith(b"\n"):
                    hint = "remove the line, or record again"
                    raise InputError(f"{name}, line {number}, cannot be read", hint) from None


def _why_not(call: RecordedCall) -> str:
    """Say why a call is not made again; empty if it is."""
    kind = STEPS.get(call.method)
    if kind is None:
        return call.method
    if call.outcome != OK and call.outcome not in _EXPECTED:
        return f"{call.method} that ended as {call.outcome}"
    if call.asks:
        return f"{call.method} that asked the user for something"
    if call.arguments is None:
        return f"{call.method} whose arguments were too large to keep"
    return _PAGE if kind == "list" and "cursor" in call.arguments else ""


def _shape(call: RecordedCall) -> tuple[str, ...]:
    """Return the kind of a call: what no server has, or takes, has a kind that never succeeded."""
    kinds = {int: "number", float: "number"}
    told = sorted((call.arguments or {}).items())
    names = [f"{name}: {kinds.get(type(value), type(value).__name__)}" for name, value in told]
    return (call.method, call.tool, *names)


def _sorted(head: RecordingHead, calls: list[RecordedCall], left: Mapping[str, int]) -> Recording:
    calls.sort(key=lambda call: call.at_ms)
    first_ms = calls[0].at_ms
    sessions: dict[str, list[RecordedCall]] = {}
    for call in calls:
        call.at_ms -= first_ms
        sessions.setdefault(call.session, []).append(call)
    unmade = {why: count for why, count in left.items() if why not in _OURS}
    transport = calls[0].transport
    target = f"sse:{head.target}" if transport == "sse" else head.target
    return Recording(target, head.cwd, calls[0].protocol, sessions, unmade)


def _moment(head: RecordingHead) -> float:
    return datetime.fromisoformat(head.started).timestamp()


def _content(calls: list[RecordedCall]) -> bytes:
    return msgspec.json.encode([(call.method, call.tool, call.arguments) for call in calls])

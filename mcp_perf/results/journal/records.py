"""The records of a journal: what a run writes down, one JSON line each.

A run writes one `RunStarted`, then for each turn (a time in which exactly one arm runs alone)
`TurnStarted`, `Slice` about once a second, `TurnEnded` per node, and finally `RunEnded`.
"""

from typing import Any, Final

import msgspec

from mcp_perf.results.document.document import Phase
from mcp_perf.results.document.run_numbers import RunNumbers

FORMAT: Final = "mcp-perf/journal/1"
SETUP: Final = -1
"""The turn of calls outside of turns: opening and closing sessions, listing tools."""


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
    """Per arm: `target` (as shown), `server` (the name and version that it gives), `protocol`
    (negotiated, or ""), `resources` (`source`: where they are read; `why_not`: why they are not;
    `shared`: the other arms that the same processes serve)."""
    gates: list[str]
    limits: dict[str, float]
    """By the names of `mcp_perf.results.tally.health.GeneratorLimits`."""
    load: dict[str, Any]
    """`model` (`closed`, `open`), `users`, `think_s` (shortest, longest), and its other keys."""
    environment: dict[str, Any]
    workload: dict[str, str] = {}
    """Arm -> digest of what it does; empty in journals of older versions."""
    journeys: list[str] = []
    """What users could walk; empty in journals of older versions."""
    layers: list[str] = []
    """Arms that do the same work, each through one more layer than the arm before."""


class Baseline(Record, tag="baseline", frozen=True, kw_only=True):
    """The earlier runs that this run is compared with; follows the record of the run itself."""

    tolerance: float
    """The fraction by which a metric may be worse."""
    runs: list[RunNumbers]


class TurnStarted(Record, tag="turn", frozen=True, kw_only=True):
    """An arm begins to run alone."""

    turn: int
    arm: str
    phase: Phase
    round: int
    """From 1; the warm-up is round 0, and a probe has the round of the trial after it."""
    at_s: float
    planned_s: float
    users: int = 0
    """The level: users at work; in an open load the most journeys in flight."""
    rate: float = 0.0
    """Open load: journeys planned per second, all nodes together; 0 in a closed one."""


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The calls of one arm, one step and one class in one slice (or whole journeys)."""

    arm: str
    kind: str
    """`call`, `journey`, or `start`: how late journeys of an open load began. Calls that got
    notifications: `event`, the time to the first, and `gap`, the longest silence after it. Calls
    that should report progress, and did not: `unheard`, their whole time. Calls whose session was
    lost: `recovery`, from the first send to the end in another session. Other calls with something
    to mend: `healed`. Cancelled calls: `stop`, from the cancellation to their end at the server, of
    class `timeout` if the server did not report it. Messages without a call: `stray`, named by
    their kind. Streams of sessions (GET): `stream`, named `opened`, `lived`, `gap`, or by a status.
    Journeys, named by the second of the turn in which they began: `slot`, without times."""
    name: str
    """The step (`tools/call echo`, `GET /users`), or the journey."""
    cls: str
    """A journey's class is `ok` or that of the step that ended it."""
    journey: str = ""
    """The journey that a call is part of; empty in journals of older versions."""
    tool: str = ""
    """The name of the tool that is called, if any."""
    n: int
    total_ns: int
    min_ns: int
    max_ns: int
    bytes_in: int = 0
    bytes_out: int = 0
    latency: list[int]
    """Pairs, flattened: bucket index, count (see `journal.histogram`). From the intended start."""
    service: list[int] = []
    """The same from the actual send; empty if it equals `latency` (closed load)."""
    service_total_ns: int = 0
    body_bytes: int = 0
    """The bytes of the bodies alone: for MCP, of the messages that answered."""
    checked: int = 0
    """Results of the step, of any class, that were checked against the tool's outputSchema."""
    violations: int = 0
    """How many of these results broke it."""
    unchecked: int = 0
    """Results that are `ok` and were not checked, because checks would have cost too much."""
    messages: dict[str, int] = {}
    """How many calls that failed said the same, numbers left out, by the first text of its kind;
    each node distinguishes the first 20 of a step and class."""


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The generator's own state in one slice."""

    cpu_s: float
    """CPU seconds this process used, by the operating system."""
    wall_s: float
    lag: list[int] = []
    """Pairs, flattened: by how many ns the hub woke late (same buckets)."""
    late_starts: int = 0
    """How many of `starts` were late."""
    starts: int = 0
    """Arrivals of an open load, whether they were started or dropped."""
    stalled_s: float = 0.0
    """Time lost in stalls: a timer fired at least 50 ms late."""
    longest_stall_s: float = 0.0
    paused_s: float = 0.0
    """The part of `stalled_s` in which this process neither ran nor waited for a processor."""
    waited_s: float = 0.0
    """Time in which it was ready to run, but no processor was free; 0 may also mean unknown."""
    machine_s: float = 0.0
    """Time in which the machine's processors were busy, all together; 0 means unknown."""
    cores: int = 0
    """Processors that this process may use; 0 means unknown."""
    machine_cores: int = 0


class Slice(Record, tag="slice", frozen=True, kw_only=True):
    """What one node recorded in about one second."""

    node: str
    turn: int
    at_s: float
    seconds: float
    cells: list[Cell]
    health: Health
    draining: bool = False
    """Whether it lies after the bell; in an open load, after the last moment at which journeys can
    end in time."""


class TurnEnded(Record, tag="turn_end", frozen=True, kw_only=True):
    """A node's calls of this turn have drained."""

    turn: int
    node: str
    users: int
    busy_s: float
    """Closed load: mean over users of the time from the turn's start to the end of the user's last
    journey, at least the turn's planned length; the denominator of throughput. Open load: the
    turn's length, which is stretched for that (`RecordedTurn.stretch`)."""
    planned: int
    """Calls in a closed load; arrivals in an open load: planned = started + dropped."""
    dropped: int = 0
    """Arrivals that found `max_in_flight` journeys in flight."""
    without_session: int = 0
    """Users who should have worked, and had no session during the whole turn."""
    without_journey: int = 0
    """Closed load: users who should have begun a journey, and never did."""
    backed_off_s: float = 0.0
    """Closed load: how long users left the target alone after failures, all users together."""


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
    reply: str = ""
    """The beginning of the reply, redacted; only for the first of each step and class, per node."""


class LookedReplies(Record, tag="looked", frozen=True, kw_only=True):
    """What one node saw in the ok replies of a step since its last such record."""

    turn: int
    arm: str
    step: str
    looked: int
    like_errors: int = 0
    """Replies that say isError: false, and look like errors."""
    empty: int = 0
    example: str = ""
    """The first reply that looks like an error; redacted."""
    alike: dict[str, int] = {}
    """For steps whose arguments change: how often each reply came, by its digest, in the order of
    the first of each. A node distinguishes the first 16."""
    varied: list[str] = []
    """The digests of replies that came for different arguments, so far."""


class ResourceSample(Record, tag="resources", frozen=True, kw_only=True):
    """What an arm's target used so far, read during the arm's turn; null means unknown."""

    turn: int
    """`SETUP` if all sessions are closed: before the first one opens, or after the last."""
    at_s: float
    arm: str
    cpu_s: float | None
    """CPU seconds since some moment before the run; all processes of the target together."""
    rss_bytes: int | None
    """Resident memory; memory that processes share is counted in each of them."""
    threads: int | None
    fds: int | None
    """Open file descriptors."""
    processes: int | None
    by_process: dict[str, float] = {}
    """Seconds in which each process on this machine, by its id, ran or waited for a core."""


class SessionCount(Record, tag="sessions", frozen=True, kw_only=True):
    """The sessions that one node's users have open: opened and neither closed nor known lost."""

    node: str
    at_s: float
    users: int
    open: dict[str, int]
    """By arm, for arms whose protocol and transport have sessions."""
    streams: dict[str, int]
    """Open streams of sessions, likewise."""
    rss_bytes: int
    """Resident memory of the node itself."""


class UpstreamUse(Record, tag="upstream", frozen=True, kw_only=True):
    """What the simulated providers behind an arm's target got in one turn."""

    turn: int
    at_s: float
    arm: str
    requests: int
    connections: int
    """Connections that were opened."""
    max_in_parallel: int
    """The most requests in flight at once, to all providers together."""


SILENT: Final = "gave no answer"
"""What a target did that kept its connections, but answered no call in time."""


class Outage(Record, tag="outage", frozen=True, kw_only=True):
    """A time in which calls of one node to an arm's target reached nobody, one after the other.

    An outage over several turns is written at the end of each turn, with the same beginning.
    """

    node: str
    arm: str
    from_s: float
    to_s: float
    """The end of the last call that failed."""
    is_over: bool
    """Whether the target has answered again."""
    failures: int
    how: str
    """What the target did, such as `refused connections`."""


class Note(Record, tag="note", frozen=True, kw_only=True):
    """Something a reader of the numbers must know."""

    at_s: float
    code: str
    """`session_lost`, `worker_lost`, `system_died`, `resources_lost`, …"""
    text: str
    arm: str = ""
    node: str = ""
    """The worker that it is about."""
    count: int = 1
    kind: str = ""
    """How sessions were lost: `forgot`, `evicted`, `restarted` or `elsewhere`; or `refused`."""


class RunEnded(Record, tag="end", frozen=True, kw_only=True):
    """The run is over, whatever ended it."""

    at_s: float
    reason: str
    """`finished`, or `signal`, `stopped` (in the web UI), `aborted` (an arm failed), `error`."""


AnyRecord = (
    RunStarted
    | Baseline
    | TurnStarted
    | Slice
    | TurnEnded
    | SampleRecord
    | LookedReplies
    | ResourceSample
    | SessionCount
    | UpstreamUse
    | Outage
    | Note
    | RunEnded
)

"""The document: `report.json`, schema `mcp-perf/report/1`, the one input of every rendering.

Numbers are plain: milliseconds, seconds, bytes, fractions (an error rate of 0.5 % is 0.005). A
number that could not be measured is null, never zero.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from mcp_perf.results.document import target_numbers
from mcp_perf.results.document.comparison import Comparison, Drift, Layer, Regression
from mcp_perf.results.document.part import DocumentPart, RateTrial, Reason, SearchEnd, VerdictName

SCHEMA: Final = "mcp-perf/report/1"


class Latency(DocumentPart):
    """Milliseconds; null where there was no sample."""

    n: int = 0
    """How many samples."""
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = None
    max: float | None = None


TIMES: Final = tuple(name for name in Latency.model_fields if name != "n")


class StepNumbers(DocumentPart):
    """One step (or one journey) of one arm, over all measured rounds."""

    count: int
    error_rate: float | None
    per_second: float | None
    """Calls per second of the step; for a journey, those with every step ok."""
    classes: dict[str, int]
    latency_ms: Latency
    """Of those that were ok."""
    failed_ms: Latency = Latency()
    service_ms: Latency | None = None
    """As in `ArmNumbers`."""
    bytes_in: int = 0
    bytes_out: int = 0
    schema_checked: int = 0
    """Results that were checked against the tool's outputSchema."""
    schema_unchecked: int = 0
    """Results that were ok and not checked, because that would have cost too much."""
    schema_violation_rate: float | None = None
    """The share of the checked results that broke it; `error_rate` assumes it for the others."""
    compared: Comparison | None = None
    """Its median time divided by that of the same name in the arm's control, or in the first arm;
    p-values are corrected over the steps and journeys of the run."""


Phase = Literal["warmup", "round", "probe"]
"""What a turn is: only rounds are measured. A probe comes before the trial of a search."""
PHASES: Final[Mapping[Phase, str]] = {
    "warmup": "warm-up",
    "round": "round {}",
    "probe": "probe before trial {}",
}
"""In words, to be filled with the number of the round."""


class RoundNumbers(DocumentPart):
    """One turn of one arm, warm-up (round 0) and probes included."""

    round: int
    phase: Phase
    order: int
    """The turn's place in the run, from 0: the recorded order of arms."""
    at_s: float
    seconds: float
    """Mean busy time of a user: the denominator of throughput. In an open load the length, and the
    denominator is the time in which the target served the journeys
    (`docs/explanation/measurement.md`)."""
    users: int = 0
    """The level: users at work; in an open load the most journeys in flight."""
    rate_per_s: float | None = None
    """Open load: journeys planned per second."""
    planned: int = 0
    dropped: int = 0
    calls: int
    journeys_done: int
    throughput_per_s: float | None
    calls_per_s: float | None
    error_rate: float | None
    latency_ms: Latency
    """Of the calls that were ok."""
    failed_ms: Latency = Latency()
    journey_ms: Latency
    ranked_ms: Latency | None = None
    """As in `ArmNumbers`."""
    ranked_journey_ms: Latency | None = None
    cpu: float | None = None
    """The target's CPU use, as a fraction of one core."""
    rss_bytes: float | None = None
    """The target's resident memory: the median of the turn."""


class RateLevel(DocumentPart):
    """One rate of a search for the capacity, over all of its trials."""

    rate_per_s: float
    """Journeys that were to begin per second."""
    repeats: int
    held: int
    """How many of them the target held."""
    by_generator: int
    """How many broke while the load generator itself did not keep up."""
    own_limit: int = 0
    """How many only reached our own bound on the journeys in flight."""
    unsettled: int = 0
    """How many broke that began while the target was slower than usual."""
    broke_by: list[str]
    achieved_per_s: float
    """Journeys done per second, mean over the trials."""
    latency_ms: Latency
    planned: int
    dropped: int
    error_rate: float | None


class Capacity(DocumentPart):
    """The highest rate that an arm holds: what a breakpoint load has found."""

    outcome: SearchEnd
    """`knee`: it was found; `held`: even the highest rate held; `lowest`: not even the lowest did;
    `generator`: the load generator was the limit; `own_limit`: `max_in_flight` was; `unsteady`: the
    same rates held and broke; `did_not_recover`: the target did not, from a rate that broke;
    `unfinished`: the search was cut short."""
    held: bool
    """Whether every rate held, up to the highest that was asked for."""
    rate_per_s: float | None
    """The highest rate that held, by the majority of its trials."""
    interval: tuple[float | None, float | None]
    """The highest rate that held every time, and the lowest that the target broke every time."""
    broke_by: list[str]
    """The conditions that were not met just above it."""
    did_not_recover_from: float | None = None
    """The last rate that was tried, if the target did not recover from it."""
    conditions: list[str]
    levels: list[RateLevel]
    """Ascending."""
    trials: list[RateTrial] = Field(default_factory=list)
    """In their order."""


class ArmNumbers(DocumentPart):
    """One arm over all measured rounds."""

    target: str
    server: str = ""
    """The name and the version by which an MCP server introduced itself."""
    protocol: str
    calls: int
    journeys_done: int
    error_rate: float | None
    success_rate: float | None
    availability: float | None = None
    """Seconds in which at least 99 % of the journeys that were due ended ok, of all in which some
    began, or users waited; null in runs of older versions."""
    rate_limited_rate: float | None = None
    """Calls that the target refused because it was asked too often, of all that ended."""
    throughput_per_s: float | None
    calls_per_s: float | None
    admitted_per_s: float | None = None
    """Calls per second that were not refused for this reason."""
    classes: dict[str, int]
    latency_ms: Latency
    """Of the calls that were ok."""
    failed_ms: Latency = Latency()
    """Of the calls that failed."""
    service_ms: Latency | None = None
    """From their actual send; null if that is `latency_ms`, as in a closed load."""
    journey_ms: Latency
    """Of the journeys with every step ok."""
    ranked_ms: Latency | None = None
    """Of all calls, as gates judge them: failed calls rank above all others, and a number that
    falls on one is null; the mean counts each as the longest. Null as a whole if every call was ok:
    then it is `latency_ms`."""
    ranked_journey_ms: Latency | None = None
    """Of all journeys, likewise."""
    lag_ms: Latency = Latency()
    """Open load: from the intended start of a journey to the actual one, all of them."""
    planned: int
    dropped: int
    warmup_calls: int
    setup_calls: int
    setup: dict[str, StepNumbers] = Field(default_factory=dict)
    """Requests outside of rounds: opening, closing and losing sessions, over the whole run."""
    context: target_numbers.ContextNumbers = target_numbers.ContextNumbers()
    first_event_ms: Latency = Latency()
    """From the send of a call to its first notification; `calls_unheard` rank above all."""
    longest_gap_ms: Latency = Latency()
    """The longest silence of a call after its first notification: until the next, or until the
    answer; `calls_unheard` rank above all."""
    calls_unheard: int = 0
    """Calls that were to report progress, and ended without a single notification."""
    strays: dict[str, int] = Field(default_factory=dict)
    """What came for no call in the measured rounds, by its kind."""
    stray_rate: float | None = None
    """All of it over the calls that ended."""
    sessions_lost: int
    """Lost by the server, and noticed by a call, which then opened another."""
    sessions_lost_by: dict[str, int] = Field(default_factory=dict)
    """The same by what became of them: `forgot`, `evicted`, `restarted` or `elsewhere`, and
    `refused`: sessions that the server never opened, because it had as many as it takes."""
    session_loss_rate: float | None = None
    """Calls that found their session lost, of all that ended."""
    healed_rate: float | None = None
    """Calls that had something to mend, of all that ended: a lost session, a stream that ended
    without the answer, tools that had changed."""
    recovery_ms: Latency = Latency()
    """Of calls that lost their session and were ok in another; opening it is included."""
    cancel_stop_ms: Latency = Latency()
    """From the cancellation of a call to its end at the server; `cancel_stops_unmeasured` rank
    above all."""
    cancel_stops_unmeasured: int = 0
    """Calls that were cancelled, and were not seen to end within a second."""
    bytes_in: int
    bytes_out: int
    bytes_per_journey: float | None = None
    """Received and sent by all calls, over journeys with every step ok."""
    resources: target_numbers.ResourceNumbers = target_numbers.ResourceNumbers()
    sessions: target_numbers.SessionNumbers = target_numbers.SessionNumbers()
    upstream: target_numbers.UpstreamNumbers | None = None
    """Only if providers are simulated."""
    journeys: dict[str, StepNumbers]
    steps: dict[str, StepNumbers]
    rounds: list[RoundNumbers]
    percentile_curve: list[tuple[float, float]]
    """(fraction, ms) of call latency, from 0 to 1, denser towards 1."""
    drift: list[Drift] = Field(default_factory=list)
    """How time and rate changed over six rounds or more of one level."""
    capacity: Capacity | None = None
    """Only if the load searched for it."""


class GateResult(DocumentPart):
    """One gate, judged."""

    gate: str
    measured: float | None
    unit: str
    ci95: tuple[float, float] | None = None
    verdict: VerdictName
    reason: str = ""


class Generator(DocumentPart):
    """The load generator's own health in the measured rounds."""

    cpu_percent: float | None
    """Of one core, of the busiest process."""
    cpu_us_per_call: float | None
    late_starts: int
    loop_lag_p99_ms: float | None
    lost_s: float | None = None
    """In stalls, of the process that lost most."""
    causes: list[str] = Field(default_factory=list)
    """Why it was not fit to measure, as codes of `docs/explanation/measurement.md`; empty if it was
    fit."""
    processes: int
    sessions: target_numbers.SessionNumbers = target_numbers.SessionNumbers()
    workers_lost: list[str]


class TimelinePoint(DocumentPart):
    """About one second of one arm; the rest at the end of a turn is joined to the second before."""

    at_s: float
    seconds: float
    arm: str
    phase: Phase
    calls_per_s: float
    errors_per_s: float
    p50_ms: float | None
    p95_ms: float | None


class ResourcePoint(DocumentPart):
    """What an arm's target used in about one second; in a long run, in more."""

    at_s: float
    seconds: float
    arm: str
    phase: Phase
    cpu: float | None
    """Fraction of one core."""
    rss_bytes: int | None
    threads: int | None
    fds: int | None


class SessionPoint(DocumentPart):
    """How many sessions of an arm were open at a moment."""

    at_s: float
    arm: str
    open: int
    streams: int


class Failure(DocumentPart):
    """Failures of one arm, step and class that say the same, numbers left out."""

    arm: str
    step: str
    cls: str
    count: int
    example: str
    """What the first of them said."""


class StepReplies(DocumentPart):
    """The replies of one step of one arm, over the whole run."""

    arm: str
    step: str
    first: dict[str, str]
    """By class: the beginning of the first reply, without secrets."""
    looked: int = 0
    """Replies that were ok and were looked at; the numbers below are about these."""
    like_errors: int = 0
    """Replies that say isError: false, and look like errors."""
    empty: int = 0
    alike: int = 0
    """How often the commonest reply to different arguments came."""
    remarks: list[str] = Field(default_factory=list)
    """What is odd, in sentences that are among the notes, too."""


class Report(DocumentPart):
    """The whole document."""

    schema_: Literal["mcp-perf/report/1"] = Field(default=SCHEMA, alias="schema")
    scenario: str
    title: str
    run_id: str
    started: str
    duration_s: float
    verdict: VerdictName
    exit_code: int
    complete: bool
    """False when the run was cut off: a signal, a crash."""
    reasons: list[Reason]
    """The gravest first."""
    arms: dict[str, ArmNumbers]
    comparisons: list[Comparison]
    layers: list[Layer] = Field(default_factory=list)
    """From the lowest upwards, if the scenario says that its arms are layers."""
    regressions: list[Regression] = Field(default_factory=list)
    """Against the baseline, if the run was given one."""
    gates: list[GateResult]
    generator: Generator
    environment: dict[str, Any]
    timeline: list[TimelinePoint]
    resources: list[ResourcePoint] = Field(default_factory=list)
    """On the same clock as `timeline`."""
    sessions: list[SessionPoint] = Field(default_factory=list)
    """Likewise, from before the first turn to after the last."""
    failures: list[Failure]
    replies: list[StepReplies] = Field(default_factory=list)
    """What each step was answered first, and what is odd in the answers that were ok."""
    notes: list[str]


def report_schema() -> dict[str, Any]:
    """Describe `report.json` in JSON Schema, draft 2020-12.

    `schema` is required although our model has a default for it: a document without it could be
    any version.
    """
    described = Report.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        **described,
        "title": "mcp-perf report",
        "required": ["schema", *described["required"]],
    }

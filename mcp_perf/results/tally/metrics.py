"""What can be judged about an arm: the metrics of the gates, over one round or over all rounds."""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_perf.numbers import out_of
from mcp_perf.outcomes import OK, TIMEOUT
from mcp_perf.results.document.target_numbers import SessionNumbers
from mcp_perf.results.tally import groups
from mcp_perf.results.tally.availability import availability
from mcp_perf.results.tally.turns import RecordedTurn
from mcp_perf.results.tally.usage import Usage

FRACTIONS: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
JOURNEY_PREFIX: Final = "journey_"
EVENT_PREFIX: Final = "first_event_"
GAP_PREFIX: Final = "gap_"
RECOVERY_PREFIX: Final = "recovery_"
STOP_PREFIX: Final = "cancel_stop_"
BYTES_PER_TOKEN: Final = 4
ESTIMATOR: Final = "4 bytes of JSON a token"
"""The usual rule of thumb for English and JSON; tokenizers differ from it by a third or so."""
COMPARED: Final = (
    *("throughput", "calls_per_s", "mean", "p50", "p90", "p95", "p99", "error_rate"),
    *("journey_p50", "journey_p95"),
)
"""The metrics in which arms and runs are compared."""


def tokens(size: float) -> float:
    """Estimate how many tokens `size` bytes of JSON are."""
    return size / BYTES_PER_TOKEN


def facts(described: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of an arm that its record gives before any call."""
    size = described.get("tools_list_bytes")
    return {"tools_list_tokens": tokens(size)} if size else {}


class Totals:
    """One arm's numbers over some of its turns."""

    def __init__(
        self, turns: Sequence[RecordedTurn], facts: Mapping[str, float] | None = None
    ) -> None:
        """`facts` are metrics that do not depend on turns, such as the size of `tools/list`."""
        self._facts = facts or {}
        self.ends_by_turn = [turn.ends for turn in turns]
        lasted_s = [turn.seconds * turn.stretch for turn in turns]
        self.seconds = sum(lasted_s)
        """The time of all turns: the denominator of rates."""
        each = zip(self.ends_by_turn, lasted_s, strict=True)
        self._user_s = sum(end.users * seconds for ends, seconds in each for end in ends)
        self.usage = Usage([turn.usage for turn in turns])
        self.steps = _groups(turns, groups.CALL)
        self.journeys = _groups(turns, groups.JOURNEY)
        self.call = _together(self.steps)
        self.start = _together(_groups(turns, groups.START))
        """Journeys that began in an open load, and how late they began."""
        self.journey = _together(self.journeys)
        self.event = _together(_groups(turns, groups.EVENT))
        """The time to the first notification, of calls that got notifications."""
        self.recovery = _together(_groups(turns, groups.RECOVERY))
        """The time of calls whose session was lost; it includes opening another session."""
        self.healed = _together(_groups(turns, groups.HEALED))
        """The time of calls that had something else to mend."""
        self.gap = _together(_groups(turns, groups.GAP))
        """The longest silence of a call after its first notification, up to its end."""
        self.unheard = _together(_groups(turns, groups.UNHEARD)).ended
        """Calls that should report progress, and ended without a single notification."""
        self.stop = _together(_groups(turns, groups.STOP))
        """From the cancellation of a call to its end at the server. If that end did not come, the
        class is `timeout`, and the time is how long we waited for it."""
        self.strays = {name: group.all.n for name, group in _groups(turns, groups.STRAY).items()}
        ended = [end for ends in self.ends_by_turn for end in ends]
        self.is_open = any(turn.started.rate for turn in turns)
        self.planned = sum(record.planned for record in ended)
        self.dropped = sum(record.dropped for record in ended)
        self.slots = availability(turns)
        """The seconds of the turns in which the arm was available or not."""
        self.turns = [turn.started.turn for turn in turns]
        self._timeouts = _timeouts(turns)
        self.backed_off_s = sum(record.backed_off_s for record in ended)

    def timeouts(self, kind: str, turns: Container[int]) -> int:
        """Return how many calls, or journeys, of these turns got no answer in time."""
        return sum(n for (turn, of), n in self._timeouts.items() if of == kind and turn in turns)

    @property
    def calls(self) -> int:
        return self.call.all.n

    @property
    def journeys_done(self) -> int:
        return self.journey.ok.n

    @property
    def success_rate(self) -> float | None:
        """Journeys with every step ok over the journeys that ended."""
        return self.journeys_done / self.journey.ended if self.journey.ended else None

    @property
    def availability(self) -> float | None:
        """Seconds in which 99 % of the journeys due ended ok, over all seconds that count."""
        return self.slots.share

    @property
    def throughput_per_s(self) -> float | None:
        """Goodput: journeys with every step ok, per second."""
        return self.per_second(groups.JOURNEY)

    @property
    def calls_per_s(self) -> float | None:
        return self.per_second(groups.CALL)

    @property
    def rate_limited_rate(self) -> float | None:
        """Calls that were refused for their rate over calls that ended."""
        return self.call.limited / self.call.ended if self.call.ended else None

    @property
    def session_loss_rate(self) -> float | None:
        """Calls that found their session lost over calls that ended."""
        return self.recovery.ended / self.call.ended if self.call.ended else None

    @property
    def healed_rate(self) -> float | None:
        """Calls that had something to mend over calls that ended."""
        return self.healed_calls / self.call.ended if self.call.ended else None

    @property
    def healed_calls(self) -> int:
        return self.recovery.ended + self.healed.ended

    @property
    def stray_rate(self) -> float | None:
        """Messages without a call over calls that ended; may be above 1."""
        return sum(self.strays.values()) / self.call.ended if self.call.ended else None

    @property
    def admitted_per_s(self) -> float | None:
        """The rate of calls that were not refused: what the target's limit lets through."""
        rate, limited = self.calls_per_s, self.rate_limited_rate
        return None if rate is None or limited is None else rate * (1 - limited)

    @property
    def bytes_per_journey(self) -> float | None:
        """Bytes of all calls, received and sent, over journeys with every step ok."""
        every = self.call.all
        size = every.bytes_in + every.bytes_out
        return size / self.journeys_done if size and self.journeys_done else None

    @property
    def cpu_per_journey_ms(self) -> float | None:
        """CPU time of the target over journeys with every step ok."""
        cpu_s = self.usage.cpu_s
        return None if cpu_s is None or not self.journeys_done else 1e3 * cpu_s / self.journeys_done

    @property
    def users(self) -> float:
        """Users at work, all nodes together; the mean over time if their number changed."""
        return self._user_s / self.seconds if self.seconds else 0.0

    @property
    def users_in_journeys(self) -> float:
        """How many users were inside a journey, on average: throughput times journey time."""
        return self.journey.all.total_ns / 1e9 / self.seconds if self.seconds else 0.0

    def per_second(self, kind: str, name: str | None = None) -> float | None:
        """Return the rate of ended calls or done journeys, of one name or of all.

        It is the count of all nodes over the time of all turns. A lost node counts only with what
        it did before. None when no time was spent.
        """
        if not self.seconds:
            return None
        if kind == groups.CALL:
            calls = self.call if name is None else self.steps.get(name, _EMPTY)
            return calls.ended / self.seconds
        journeys = self.journey if name is None else self.journeys.get(name, _EMPTY)
        return journeys.ok.n / self.seconds

    def ranked(self, metric: str) -> groups.Ranked:
        """Return the times that a metric of time is about, in order: failures last."""
        return _TIMED[_prefix(metric)](self).ranked(self._unmeasured(metric))

    @property
    def result_tokens(self) -> float | None:
        """Estimated tokens of the mean ok answer: what it costs a model to read it."""
        ok = self.call.ok
        return tokens(ok.body_bytes / ok.n) if ok.body_bytes else None

    def value(self, metric: str, *, first: bool = False) -> float | None:
        """Return a metric of the gates: ms, per second, a fraction or a count.

        None when it could not be measured, or when it falls on a failed call. With `first`, failed
        calls count as shorter than all others, instead of longer.
        """
        if metric in _FACTS:
            return self._facts.get(metric)
        if metric in _PLAIN:
            return _PLAIN[metric](self)
        ranked, name = self.ranked(metric), bare(metric)
        if name in FRACTIONS:
            return ranked.percentile_ms(FRACTIONS[name], first=first)
        return ranked.mean_ms(first=first) if name == "mean" else ranked.max_ms(first=first)

    def falls_on_failure(self, metric: str) -> bool:
        """Tell whether a metric of time has no value because it falls on a failed call."""
        if not is_time(metric):
            return False
        ranked = self.ranked(metric)
        return bool(ranked.failures.n) and not ranked.unmeasured and self.value(metric) is None

    def _unmeasured(self, metric: str) -> int:
        """Return how many calls should have given a metric of time its times, and did not.

        They count as longer than all others, so that nothing passes by silence.
        """
        if metric.startswith(STOP_PREFIX):
            return self.stops_unmeasured
        return self.unheard if metric.startswith((EVENT_PREFIX, GAP_PREFIX)) else 0

    @property
    def measured_stop(self) -> groups.Group:
        """Cancelled calls whose end the server reported."""
        return groups.Group([(OK, self.stop.ok)])

    @property
    def stops_unmeasured(self) -> int:
        """How many cancelled calls the server did not report the end of."""
        return self.stop.all.n - self.stop.ok.n

    def why_unknown(self, metric: str) -> str:
        """Say why a metric has no value, if there is more to say than that it has none."""
        unmeasured = self._unmeasured(metric)
        if not metric.startswith(STOP_PREFIX):
            calls = out_of(unmeasured, self.ranked(metric).n, "call") if unmeasured else ""
            return f": {calls} asked for progress but got none" if unmeasured else ""
        if not self.stop.all.n:
            return ": it needs MCP 2025-11-25 or older over streamable HTTP"
        return f": {unmeasured} of {self.stop.all.n} cancelled calls did not show their end"


_TIMED: Final[Mapping[str, Callable[[Totals], groups.Group]]] = {
    JOURNEY_PREFIX: lambda totals: totals.journey,
    EVENT_PREFIX: lambda totals: totals.event,
    GAP_PREFIX: lambda totals: totals.gap,
    RECOVERY_PREFIX: lambda totals: totals.recovery,
    STOP_PREFIX: lambda totals: totals.measured_stop,
    "": lambda totals: totals.call,
}
"""The group whose time a metric is, by the metric's prefix."""


def _prefix(metric: str) -> str:
    return next(prefix for prefix in _TIMED if metric.startswith(prefix))


def bare(metric: str) -> str:
    """Return what a metric of time says, such as `p95`, without the prefix for whose time it is."""
    return metric.removeprefix(_prefix(metric))


def whose(metric: str) -> str:
    """Return what a metric is about: `journeys` or `calls`."""
    return "journeys" if metric.startswith(JOURNEY_PREFIX) else "calls"


def is_time(metric: str) -> bool:
    """Tell whether a metric is a time of calls or journeys."""
    return bare(metric) in (*FRACTIONS, "mean", "max")


_FACTS: Final = frozenset(("tools_list_tokens", "sessions", "session_kib"))
_PLAIN: Final[Mapping[str, Callable[[Totals], float | None]]] = {
    "throughput": lambda totals: totals.throughput_per_s,
    "calls_per_s": lambda totals: totals.calls_per_s,
    "error_rate": lambda totals: totals.call.error_rate,
    "rate_limited_rate": lambda totals: totals.rate_limited_rate,
    "session_loss_rate": lambda totals: totals.session_loss_rate,
    "healed_rate": lambda totals: totals.healed_rate,
    "success_rate": lambda totals: totals.success_rate,
    "availability": lambda totals: totals.availability,
    "stray_rate": lambda totals: totals.stray_rate,
    "calls": lambda totals: totals.calls,
    "journeys_done": lambda totals: totals.journeys_done,
    "dropped": lambda totals: totals.dropped,
    "result_tokens": lambda totals: totals.result_tokens,
    "bytes_per_journey": lambda totals: totals.bytes_per_journey,
    "cpu": lambda totals: totals.usage.cpu,
    "cpu_per_journey": lambda totals: totals.cpu_per_journey_ms,
    "rss": lambda totals: totals.usage.most(lambda turn: turn.max_rss),
    "rss_growth_per_hour": lambda totals: totals.usage.growth.per_hour,
    "threads": lambda totals: totals.usage.most(lambda turn: turn.max_threads),
    "fds": lambda totals: totals.usage.most(lambda turn: turn.max_fds),
}


@dataclass(frozen=True)
class Evidence:
    """What one arm did in its measured rounds."""

    totals: Totals
    rounds: Mapping[int, Totals]
    """The finished rounds by their number, ascending."""
    complete: bool = True
    """Whether the run was complete; if not, its last rounds may lack a partner in the other arm."""
    unsampled: str = "This run did not sample it."
    """Why nobody knows what the target used; empty if it was sampled."""
    sessions: SessionNumbers = field(default_factory=SessionNumbers)
    partial: bool = False
    """Whether it is about one tool, step or journey, which need not come in every round."""


def paired(
    metric: str, arm: Evidence, versus: Evidence, first: tuple[bool, bool] = (False, False)
) -> tuple[list[float | None], list[float | None]]:
    """Return a metric of both arms, round by round; `first` says how their failures rank."""
    of_arm, of_versus = shared_rounds(arm, versus)
    return (
        [part.value(metric, first=first[0]) for part in of_arm],
        [part.value(metric, first=first[1]) for part in of_versus],
    )


def shared_rounds(arm: Evidence, versus: Evidence) -> tuple[list[Totals], list[Totals]]:
    """Return the rounds of both arms; if a run was cut off, only the rounds that both finished."""
    both = arm.rounds.keys() & versus.rounds.keys()
    of_arm, of_versus = (
        [part for number, part in what.rounds.items() if arm.complete or number in both]
        for what in (arm, versus)
    )
    return of_arm, of_versus


_EMPTY: Final = groups.Group(())


def _groups(turns: Sequence[RecordedTurn], kind: str) -> dict[str, groups.Group]:
    parts: defaultdict[str, list[tuple[str, groups.Tally]]] = defaultdict(list)
    for turn in turns:
        for what, tally in turn.parts.items():
            if what.kind == kind:
                parts[what.name].append((what.cls, tally))
    return {name: groups.Group(found) for name, found in parts.items()}


def _timeouts(turns: Sequence[RecordedTurn]) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    for turn in turns:
        for what, part in turn.parts.items():
            if what.cls == TIMEOUT:
                found[turn.started.turn, what.kind] += part.n
    return found


def _together(named: Mapping[str, groups.Group]) -> groups.Group:
    every = list(named.values())
    return groups.Group((part for group in every for part in group.by_class.items()), every)

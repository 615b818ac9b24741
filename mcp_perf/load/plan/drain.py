"""How long a run waits around a round: for its connections, and for its last calls."""

from collections.abc import Iterable, Iterator
from typing import Final

from mcp_perf.load.plan.schedule import Turn
from mcp_perf.results.judge.search import MOST_WAIT_S
from mcp_perf.scenario.model.load import DOUBLING
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.model.steps import Step

DRAINS: Final = 2
"""How many whole drains a load has time for whose users double; with more, it has fewer rounds."""
_MARGIN_S: Final = 1.0
"""A call notices its timeout a moment late."""

CONNECT_S: Final = 45.0
"""How long all users may take to connect. A user without a session after that fails in the turn,
and is counted there."""


def connect_s(scenario: Scenario, starting: Iterable[str]) -> float:
    """Return how long all users may take to connect, in seconds.

    The servers of the arms in `starting` are started first, and each has its `start_timeout` to
    come up.
    """
    return max([CONNECT_S, *(scenario.arms[arm].start_timeout + _MARGIN_S for arm in starting)])


def drain_s(scenario: Scenario, arm: str) -> float:
    """Return how long after a round the calls of an arm may take, in seconds.

    It is what the longest journey would take if each of its calls used up its timeout, but at most
    `limits.drain`. The drain ends as soon as the last call has ended.
    """
    longest = max(_most_s(journey.of(arm), scenario, arm) for journey in scenario.journeys.values())
    return min(longest + _MARGIN_S, scenario.limits.drain)


def longest_s(
    turns: Iterable[Turn], scenario: Scenario, trials: int | None = None
) -> tuple[float, float]:
    """Return how long turns take in seconds, and the most that they can take with drains.

    The time for users to connect again before a turn is not included.

    A search knows only the first round of each arm. An arm has at most `trials` rounds, and before
    each of them probes may have to wait until the target has recovered.
    """
    if scenario.load.shape == DOUBLING:
        load_s = sum(turn.seconds for turn in turns)
        return load_s, load_s + DRAINS * scenario.limits.drain
    load_s = most_s = 0.0
    for turn in turns:
        times, spare_s = 1, drain_s(scenario, turn.arm)
        if trials is not None and turn.phase == "round":
            times, spare_s = trials, 2 * spare_s + MOST_WAIT_S
        load_s += times * turn.seconds
        most_s += times * (turn.seconds + spare_s)
    return load_s, most_s


def shortened(scenario: Scenario) -> Iterator[str]:
    """Say which timeouts are longer than the time that a drain gives to a round's last calls."""
    drain = scenario.limits.drain
    for arm in scenario.arms:
        longest = max(
            _timeout_s(step, scenario, arm)
            for journey in scenario.journeys.values()
            for step in journey.of(arm)
        )
        if longest > drain:
            counts = "counts as a timeout" if drain else "is left out of all rates"
            yield (
                f"arm {arm}: the timeout of {longest:g} s is longer than limits.drain ({drain:g} "
                f"s). A call that is still unanswered {drain:g} s after the end of its round is "
                f"cut off, and {counts}. To wait for it, write limits: {{drain: {longest:g}s}}"
            )


def _most_s(steps: Iterable[Step], scenario: Scenario, arm: str) -> float:
    return sum(_step_s(step, scenario, arm) for step in steps)


def _step_s(step: Step, scenario: Scenario, arm: str) -> float:
    return float(step.subject) if step.action == "wait" else _timeout_s(step, scenario, arm)


def _timeout_s(step: Step, scenario: Scenario, arm: str) -> float:
    if step.inner:
        return max(_step_s(one, scenario, arm) for one in step.inner)
    if step.action == "wait":
        return 0.0
    own = getattr(step, "timeout", None)
    return float(scenario.arms[arm].timeout if own is None else own)

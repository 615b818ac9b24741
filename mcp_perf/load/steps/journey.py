"""One virtual user at work: it has a context for each arm, and walks journeys in the turn's arm.

Both arms of a user see the same journeys with the same generated values in the same order (common
random numbers), so that chance in the mix cannot look like a difference between arms.
"""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Protocol

from mcp_perf.load.steps.recorder import Track
from mcp_perf.load.steps.step import CallContext, Interrupted, count_unmade
from mcp_perf.outcomes import INTERRUPTED, OK
from mcp_perf.results.tally.groups import START
from mcp_perf.scenario.values.generators import Generators
from mcp_perf.scenario.values.templates import LookupFailed, TooLong

_LARGEST_DECK: Final = 200


class Runnable(Protocol):
    """A compiled step."""

    @property
    def goes_on(self) -> bool:
        """Whether the journey continues when the step fails."""

    def run(self, context: CallContext[Any]) -> str:
        """Do it; return the class it ended in."""


@dataclass(frozen=True, slots=True)
class CompiledJourney:
    """One journey, compiled for every arm."""

    name: str
    weight: float
    generators: Generators
    steps: Mapping[str, Sequence[Runnable]]
    tracks: Mapping[str, Track]


class Walk:
    """A user's journeys on one arm."""

    def __init__(
        self,
        journeys: Sequence[CompiledJourney],
        context: CallContext[Any],
        constants: Mapping[str, Any],
        *,
        user: int,
        seed: int,
        counter: Callable[[], int],
    ) -> None:
        self.context = context
        self._constants = {**constants, "user": user, "arm": context.arm}
        self._deck = deck([journey.weight for journey in journeys])
        self._dealt: list[int] = []
        self._random = random.Random(f"{seed}/{user}")
        self._routes = [
            (
                journey.name,
                journey.generators.for_user(user, counter),
                journey.steps[context.arm],
                journey.tracks[context.arm],
                context.recorder.track(context.arm, START, journey.name),
            )
            for journey in journeys
        ]
        self._numbers = {journey.name: number for number, journey in enumerate(journeys)}

    def deal(self, name: str) -> None:
        """Make this journey the next one."""
        self._dealt.append(self._numbers[name])

    def told_s(self) -> float:
        """Return how long the target has asked to be left alone; a second call returns 0."""
        told, self.context.told_s = self.context.told_s, 0.0
        return told

    def journey(self, intended_ns: int = 0) -> str:
        """Walk one journey to its end, or to its first failed step; return its class.

        In an open load, `intended_ns` is when it was to begin: its clock and its first call's clock
        start there.
        """
        if not self._dealt:
            self._dealt = self._deck.copy()
            if len(self._dealt) > 1:  # one needs no order, and draws no random number
                self._random.shuffle(self._dealt)
        name, generate, steps, track, starts = self._routes[self._dealt.pop()]
        context = self.context
        if intended_ns:
            context.intended_ns = intended_ns
            context.recorder.started(starts, time.perf_counter_ns() - intended_ns)
        context.journey = name
        context.waited_ns = 0
        values = context.values = dict(self._constants)
        try:
            generate(values)
        except (LookupFailed, TooLong) as error:
            outcome = count_unmade(context, error)
            self._end(track, outcome, time.perf_counter_ns(), intended_ns)
            return outcome
        outcome = OK
        start_ns = time.perf_counter_ns()
        try:
            for step in steps:
                cls = step.run(context)
                if cls != OK:
                    if outcome == OK:
                        outcome = cls
                    if context.ends or not step.goes_on:
                        context.ends = False
                        break
        except BaseException as stop:
            cut = stop.outcome if isinstance(stop, Interrupted) else INTERRUPTED
            self._end(track, cut, start_ns, intended_ns)
            raise
        self._end(track, outcome, start_ns, intended_ns)
        return outcome

    def _end(self, track: Track, outcome: str, start_ns: int, intended_ns: int) -> None:
        context = self.context
        duration_ns = time.perf_counter_ns() - start_ns - context.waited_ns
        lag_ns = start_ns - intended_ns if intended_ns else None
        context.recorder.journey(track, outcome, duration_ns, lag_ns)
        context.recorder.slots.add(outcome, intended_ns or start_ns)
        if context.listens:
            context.unlisten()


def deck(weights: Sequence[float]) -> list[int]:
    """Return journey numbers in the proportion of their weights, to be shuffled and dealt.

    Dealing from a deck keeps the mix exact in every round; drawing at random would not.
    """
    least = min(weights)
    parts = [Fraction(weight / least).limit_denominator(20) for weight in weights]
    scale = math.lcm(*(part.denominator for part in parts))
    counts = [round(part * scale) for part in parts]
    shrink = max(1.0, sum(counts) / _LARGEST_DECK, math.gcd(*counts))
    counts = [max(1, round(count / shrink)) for count in counts]
    return [number for number, count in enumerate(counts) for _ in range(count)]

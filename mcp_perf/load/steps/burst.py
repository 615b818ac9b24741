"""Bursts: calls of one user that begin at once, as agents make them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent

from mcp_perf.client.protocol.versions import MODERN
from mcp_perf.load.steps.journey import Runnable
from mcp_perf.load.steps.step import CallContext, Interrupted
from mcp_perf.load.targets.answers import joined, own_answers
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import HARNESS_ERROR, OK
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model import answers as dialog
from mcp_perf.scenario.model import scenario as model
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.model.targets import split_target


@dataclass(eq=False)
class BurstStep:
    """`parallel:`: its calls begin at once, and it ends with the last of them.

    Each call is counted like any other. What they save is known after the burst. A check before
    the run makes sure that no call needs what another one saves.
    """

    steps: Sequence[Runnable]
    goes_on: bool = True
    """Always true: if a failed call is to end the journey, the context says so."""

    def run(self, context: CallContext[Any]) -> str:
        """Make all calls; return the class of the first in the list that is not ok."""
        contexts = context.parallel[: len(self.steps)]
        for other in contexts:
            other.told_s = 0.0
            other.journey, other.values = context.journey, context.values
            other.intended_ns = context.intended_ns
            other.waited_ns = 0
        pairs = zip(self.steps, contexts, strict=True)
        calls = [gevent.spawn(_ended, step, other) for step, other in pairs]
        try:
            gevent.joinall(calls)
        except BaseException as stop:  # the round is over: none of them may outlive it
            gevent.killall(calls, exception=stop)
            raise
        if context.intended_ns is not None:
            context.intended_ns = 0
        context.told_s = max(context.told_s, *(other.told_s for other in contexts))
        # A call without a class was ended by an exception that nobody here throws.
        ends = [call.value if call.exception is None else (HARNESS_ERROR, 0, 0) for call in calls]
        # Other calls go on while one waits, and the burst ends with its last call. So only the
        # time by which waits made the burst longer is left out.
        context.waited_ns += max(end for _, end, _ in ends) - max(end for _, _, end in ends)
        return self._outcome(context, [cls for cls, _, _ in ends])

    def _outcome(self, context: CallContext[Any], classes: Sequence[str]) -> str:
        failed = [(step, cls) for step, cls in zip(self.steps, classes, strict=True) if cls != OK]
        if not failed:
            return OK
        context.ends = any(not step.goes_on for step, _ in failed)
        return failed[0][1]


def _ended(step: Runnable, context: CallContext[Any]) -> tuple[str, int, int]:
    """Make a call; return its class, when it ended, and when it would have without its waits."""
    try:
        cls = step.run(context)
    except Interrupted as cut:  # the burst raises it
        cls = cut.outcome
    end_ns = time.perf_counter_ns()
    return cls, end_ns, end_ns - context.waited_ns


def widest(scenario: model.Scenario, arm: str) -> int:
    """Return the most calls that an arm's steps make at once in a burst; 0 without bursts."""
    return max((len(step.inner) for step in _steps(scenario, arm)), default=0)


def opens_by_steps(scenario: model.Scenario, arm: str) -> bool:
    """Tell whether an arm's steps open its sessions, so that they do not open automatically."""
    return any(step.action == "open" for step in _steps(scenario, arm))


def undecided(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each burst in which more than one answer fits a server's question.

    Up to 2025-11-25, a server that asks on a channel does not say which call it asks for.
    """
    problems = [
        f"journey {name}, arm {arm}: calls of one burst have different answers for {kind}, but a "
        "server's question does not say which call it belongs to. Give the burst the same answers, "
        f"or write protocol: {MODERN} for the arm"
        for arm, target in targets.items()
        if split_target(target.url)[0] != "http" and target.version != MODERN
        for name, journey in loaded.scenario.journeys.items()
        for step in journey.of(arm)
        for kind in dialog.Answers.model_fields
        if _differ(
            getattr(joined(own_answers(one), journey.answers), kind, None) for one in step.inner
        )
    ]
    return list(dict.fromkeys(problems))


def _differ(answers: Iterable[object]) -> bool:
    given = [answer for answer in answers if answer is not None]
    return any(answer != given[0] for answer in given)


def _steps(scenario: model.Scenario, arm: str) -> Iterable[Step]:
    return (step for journey in scenario.journeys.values() for step in journey.of(arm))

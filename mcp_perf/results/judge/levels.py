"""Loads whose level changes: what is judged holds at each level, or it does not hold.

A percentile over a ramp is that of no load at all, so a gate on one arm is judged level by level,
and the gravest verdict counts. Comparisons need no levels: the rounds of a pair have the same one.
"""

from collections import defaultdict
from collections.abc import Mapping

from mcp_perf.results.document.document import GateResult
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.judge.rule import GRAVITY
from mcp_perf.results.tally.arm_facts import unsampled
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.results.tally.tokens import facts
from mcp_perf.scenario.model.gates import METRICS, Gate

LevelKey = tuple[int, float]
"""Users, and journeys per second (0 in a closed load)."""


def by_level(tally: RunTally, arm: str, by_turn: Mapping[int, Totals]) -> dict[LevelKey, Evidence]:
    """Return what an arm did at each level, in the order in which they came."""
    turns = defaultdict(list)
    for turn in tally.measured(arm):
        turns[turn.started.users, turn.started.rate].append(turn)
    return {
        level: Evidence(
            Totals(found, facts(tally.run.arms.get(arm, {}))),
            {t.started.round: by_turn[t.started.turn] for t in found if t.finished},
            tally.complete,
            unsampled(tally, arm),
        )
        for level, found in turns.items()
    }


def judge_levels(
    gate: Gate, whole: Mapping[str, Evidence], levels: Mapping[str, Mapping[LevelKey, Evidence]]
) -> GateResult:
    """Judge a gate: at every level of its arm where there are several, else over the whole run.

    A rate of failures fails at the level where it is too high; that it holds is shown by all calls
    together, which a few levels of few calls could never show one by one.
    """
    of_arm = levels.get(gate.arm, {})
    pooled = gate.versus is not None or METRICS[gate.metric].kind in ("count", "kib")
    if pooled or len(of_arm) < 2:
        return judge(gate, whole)
    results = {level: judge(gate, {gate.arm: found}) for level, found in of_arm.items()}
    gravest = max(results, key=lambda level: GRAVITY.index(results[level].verdict))
    result = results[gravest]
    together = judge(gate, whole)
    if result.verdict == "PASS":
        if METRICS[gate.metric].kind == "drift":  # from level to level there is none
            return max(results.values(), key=lambda one: one.measured or 0.0)
        return together.model_copy(update={"verdict": "PASS", "reason": ""})
    if result.verdict != "FAIL" and METRICS[gate.metric].kind == "fraction":
        return together
    alike = sum(other.verdict == result.verdict for other in results.values())
    which = f"At {describe(gravest)} ({alike} of {len(results)} levels)"
    return result.model_copy(update={"reason": f"{which}: {result.reason}"})


def describe(level: LevelKey) -> str:
    """Write a level: `20 users`, `150/s`."""
    users, rate = level
    return f"{rate:.4g}/s" if rate else "1 user" if users == 1 else f"{users} users"

"""Loads whose level changes: a gate must hold at each level, or it does not hold.

If users double from round to round, the run looks for the highest level that the target keeps up
with. The load ends with the first level beyond that.

A percentile over a ramp does not describe any real load, so a gate on one arm is judged level by
level, and the gravest verdict counts. Comparisons do not need levels: the rounds of a pair have the
same level.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mcp_perf.numbers import counted, out_of, said
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.judge.outages import MOST_USERS
from mcp_perf.results.judge.rule import GRAVITY
from mcp_perf.results.judge.verdict import SearchFacts
from mcp_perf.results.tally.arm_facts import sharing, unsampled
from mcp_perf.results.tally.metrics import Evidence, Totals, facts
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.results.tally.turns import RecordedTurn
from mcp_perf.scenario.model.gates import METRICS, Focus, Gate

MOST_FAILED: Final = 0.05
"""Share of the calls at a level; if more fail, the target does not keep up."""
SLOWER: Final = 3.0
"""The p95 at a level may be this many times the p95 of the warm-up."""
LEAST_MS: Final = 10.0
"""It may in any case be this much longer: timers and a busy machine can add it to a fast answer."""
LevelKey = tuple[int, float]
"""Users, and journeys per second (0 in a closed load)."""


def evidence_of(
    tally: RunTally, arm: str, turns: Sequence[RecordedTurn], by_turn: Mapping[int, Totals]
) -> Evidence:
    """Return what an arm did in some of its measured turns."""
    shared = sharing(tally, arm)
    known = facts(tally.run.arms.get(arm, {})) | tally.sessions.facts(arm, shared)
    return Evidence(
        totals=Totals(turns, known),
        rounds={t.started.round: by_turn[t.started.turn] for t in turns if t.finished},
        complete=tally.complete,
        unsampled=unsampled(tally, arm),
        sessions=tally.sessions.of_arm(arm, shared),
        partial=any(turn.whole for turn in turns),
    )


def within(tally: RunTally, focus: Focus) -> tuple[Evidence, dict[LevelKey, Evidence]]:
    """Return what one tool, step or journey of an arm did: over the whole run, and by level."""
    turns = {number: turn.within(focus) for number, turn in tally.turns.items()}
    by_turn = {number: Totals([turn]) for number, turn in turns.items()}
    part = replace(tally, turns=turns)
    whole = evidence_of(part, focus.arm, part.measured(focus.arm), by_turn)
    return whole, by_level(part, focus.arm, by_turn)


def by_level(tally: RunTally, arm: str, by_turn: Mapping[int, Totals]) -> dict[LevelKey, Evidence]:
    """Return what an arm did at each level, in the order of the levels."""
    turns = defaultdict(list)
    for turn in tally.measured(arm):
        turns[turn.started.users, turn.started.rate].append(turn)
    return {level: evidence_of(tally, arm, found, by_turn) for level, found in turns.items()}


def judge_levels(
    gate: Gate, whole: Mapping[str, Evidence], levels: Mapping[str, Mapping[LevelKey, Evidence]]
) -> GateResult:
    """Judge a gate: at every level of its arm if there are several, otherwise over the whole run.

    A rate of failures fails at a level where it is too high. All calls together show that it holds,
    because levels with few calls could never show that one by one.
    """
    name = str(gate.focus)
    of_arm = levels.get(name, {})
    pooled = gate.versus is not None or METRICS[gate.metric].kind in ("count", "kib")
    if pooled or len(of_arm) < 2:
        return judge(gate, whole)
    results = {level: judge(gate, {name: found}) for level, found in of_arm.items()}
    gravest = max(results, key=lambda level: GRAVITY.index(results[level].verdict))
    result = results[gravest]
    together = judge(gate, whole)
    if result.verdict == "PASS":
        if METRICS[gate.metric].kind == "drift":  # cannot be measured across levels
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
    return said(rate, "/s") if rate else counted(users or 0, "user")


@dataclass(frozen=True)
class Climb:
    """How far an arm has come while its users double."""

    best: RecordedTurn | None = None
    """The highest level at which the target kept up."""
    last: RecordedTurn | None = None
    broke_by: str = ""
    """What showed that it did not keep up at the last level; empty if it did."""
    by_generator: bool = False
    """Whether the load generator was unfit to measure at the last level."""

    @property
    def over(self) -> bool:
        return bool(self.broke_by) or self.by_generator


def climb(tally: RunTally, arm: str) -> Climb:
    """Judge the levels of an arm so far, one round each."""
    warmups = [turn for turn in tally.turns_of(arm) if turn.started.phase == "warmup"]
    calm_ms = Totals(warmups).value("p95") if warmups else None
    found = Climb()
    for turn in (turn for turn in tally.measured(arm) if turn.finished):
        broke_by = _broke_by(Totals([turn]), calm_ms)
        unfit = turn.started.turn in tally.health.broken_turns
        found = Climb(found.best if broke_by or unfit else turn, turn, broke_by, unfit)
    return found


def _broke_by(totals: Totals, calm_ms: float | None) -> str:
    failed, p95 = totals.call.error_rate, totals.value("p95")
    if failed is None:
        return "no call ended"
    if failed >= MOST_FAILED or p95 is None:
        return f"{said(failed, 'fraction')} of the calls failed"
    ends = [end for ends in totals.ends_by_turn for end in ends]
    users, without = sum(end.users for end in ends), sum(end.without_session for end in ends)
    if without > MOST_USERS * users:  # they back off, so few calls fail
        return f"{out_of(without, users, 'user')} had no session"
    if calm_ms is not None and p95 > max(SLOWER * calm_ms, calm_ms + LEAST_MS):
        return f"p95 was {said(p95, 'ms')}, with one user {said(calm_ms, 'ms')}"
    return ""


def climbed(tally: RunTally) -> SearchFacts | None:
    """Sort what a load with doubling users has shown; None for any other load."""
    if tally.run.load.get("shape") != "doubling":
        return None
    told: defaultdict[str, list[str]] = defaultdict(list)
    for arm in tally.arms:
        found = climb(tally, arm)
        known = found.broke_by and not found.by_generator
        means = "found" if found.best else "failed" if known else "undecided"
        told[means].append(_climb_told(arm, found))
    return SearchFacts(**told)


def _climb_told(arm: str, found: Climb) -> str:
    if found.last is None:
        return f"No level of {arm} was finished."
    beyond = f"At {_users(found.last)} it did not: {found.broke_by}."
    if found.by_generator:
        beyond = f"At {_users(found.last)} the load generator was too busy to measure."
    if found.best is None and found.by_generator:
        return f"It is not known how many users {arm} holds. {beyond}"
    if found.best is None:
        return f"{arm} did not keep up at any level. {beyond}"
    totals = Totals([found.best])
    rate, p95 = totals.calls_per_s or 0.0, totals.value("p95") or 0.0
    more = beyond if found.over else "It is the highest level that was tried."
    kept = f"{arm} kept up with {_users(found.best)}"
    return f"{kept}: {said(rate, '/s')}, p95 {said(p95, 'ms')}. {more}"


def _users(turn: RecordedTurn) -> str:
    return describe((turn.started.users, 0.0))

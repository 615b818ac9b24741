"""The turns of a search for the capacity: each depends on the results of the ones before it.

`mcp_perf.results.judge` decides what to do next, from the same records that the report is built
from, so the two always agree.
"""

from collections.abc import Iterator, Sequence

from mcp_perf.load.plan.schedule import Level, Turn, plan
from mcp_perf.results.judge.search import Range
from mcp_perf.results.judge.trial import Rules, next_step, range_of
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.scenario.model.gates import parse
from mcp_perf.scenario.model.load import Load


def most_rounds(load: Load, arms: int, run_time_s: float | None) -> int:
    """Return the most rounds of each arm: fewer if the measured time is bounded."""
    if run_time_s is None:
        return load.rounds
    return max(1, min(load.rounds, int(run_time_s / arms / load.round + 1e-9)))


def beginning(load: Load, arms: Sequence[str], most_users: int) -> tuple[Turn, ...]:
    """Return the turns that are known in advance: every arm's warm-up and its first trial."""
    within = Range.of(load.peak, load.round, load.rounds)
    return plan(arms, [Level(most_users, within.first)], load.round, load.warmup)


def turns(first: Sequence[Turn], tally: RunTally) -> Iterator[Turn]:
    """Yield turn after turn until every arm's search is over; `tally` follows the run.

    Arms take turns in mirrored order, and the others go on when the search of one is over. Before
    the first trial of an arm, and after one that broke, probes show when it may go on.
    """
    warmups = [turn for turn in first if turn.phase == "warmup"]
    yield from warmups
    run = tally.run
    gates = [parse(text) for text in run.gates]
    rules = {arm: Rules.of(arm, gates, run.limits) for arm in run.arms}
    users = first[-1].users
    number = len(warmups)
    for round_ in range(1, range_of(run.load).most + 1):
        searching = False
        for arm in rules if round_ % 2 else reversed(rules):
            while (step := next_step(tally, arm, rules[arm])) is not None:
                timed = step.seconds, users, step.rate, step.rest_s
                yield Turn(number, arm, step.phase, round_, *timed)
                number += 1
                if step.phase == "round":
                    searching = True
                    break
        if not searching:
            return

"""The turns of a search for the capacity: each depends on what came of those before it.

What to try next is decided in `mcp_perf.results.judge.search`, from the very records that the
report is built from, so that both always agree.
"""

from collections.abc import Iterator, Sequence

from mcp_perf.load.plan.schedule import Level, Turn, plan
from mcp_perf.results.journal.records import RunStarted
from mcp_perf.results.judge.search import Range, next_rate
from mcp_perf.results.judge.trial import Rules, range_of, trials
from mcp_perf.results.tally.tally import RunTally
from mcp_perf.scenario.model.gates import parse
from mcp_perf.scenario.model.load import Load


def most_rounds(load: Load, arms: int, run_time_s: float | None) -> int:
    """Return the most rounds of each arm: a bound on the measured time takes some away."""
    if run_time_s is None:
        return load.rounds
    return max(1, min(load.rounds, int(run_time_s / arms / load.round + 1e-9)))


def beginning(load: Load, arms: Sequence[str], most_users: int) -> tuple[Turn, ...]:
    """Return the turns that are known beforehand: every arm's warm-up, and its first trial."""
    within = Range.of(load.peak, load.round, load.rounds)
    return plan(arms, [Level(most_users, within.first)], load.round, load.warmup)


def turns(first: Sequence[Turn], run: RunStarted, tally: RunTally) -> Iterator[Turn]:
    """Yield turn after turn until every arm's search is over; `tally` follows the run.

    Arms take turns in mirrored order; one whose search is over leaves the others alone.
    """
    yield from first
    within = range_of(run.load)
    gates = [parse(text) for text in run.gates]
    rules = {arm: Rules.of(arm, gates, run.limits) for arm in run.arms}
    last = first[-1]
    number = len(first)
    for round_ in range(2, within.most + 1):
        searching = False
        for arm in rules if round_ % 2 else reversed(rules):
            tried = trials(tally, arm, rules[arm])
            rate = next_rate(within, [one.trial for one in tried])
            if rate is not None:
                yield Turn(number, arm, "round", round_, last.seconds, last.users, rate)
                number += 1
                searching = True
        if not searching:
            return

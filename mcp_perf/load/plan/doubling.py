"""The turns of a load whose users double until the target does not keep up or the time is up."""

from collections.abc import Iterator, Sequence

from mcp_perf.load.plan.drain import DRAINS
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.results.judge.levels import climb
from mcp_perf.results.tally.tally import RunTally


def turns(planned: Sequence[Turn], drain_s: float, tally: RunTally) -> Iterator[Turn]:
    """Yield turn after turn of every arm that keeps up; `tally` follows the run.

    No turn begins that could end later than planned for all turns and two drains.
    """
    most_s = sum(turn.seconds for turn in planned) + DRAINS * drain_s
    for turn in planned:
        begun_s = min((one.started.at_s for one in tally.turns.values()), default=0.0)
        in_time = tally.last_s + turn.seconds + drain_s <= begun_s + most_s
        if turn.phase == "warmup" or (in_time and not climb(tally, turn.arm).over):
            yield turn

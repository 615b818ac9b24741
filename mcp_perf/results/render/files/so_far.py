"""What pages show of a run in progress, and of its result: it fills live_rest.html.j2."""

from typing import Any, Final

from mcp_perf.results.document.document import PHASES
from mcp_perf.results.judge import generator
from mcp_perf.results.judge.trial import finds_levels
from mcp_perf.results.render.charts import recent
from mcp_perf.results.report.so_far import SoFar
from mcp_perf.results.tally.arm_facts import unsampled

_MOST_FAILURES: Final = 12


def context(so_far: SoFar) -> dict[str, Any]:
    """Return what the template is filled with."""
    tally, turn, failures = so_far.tally, so_far.turn(), so_far.failures()
    used = so_far.use()
    return {
        "names": tally.arms,
        "run": tally.run,
        "searching": finds_levels(tally.run.load),
        "turn": turn,
        "phase": PHASES[turn.started.phase].format(turn.started.round) if turn is not None else "",
        "rounds": so_far.rounds(),
        "calls": so_far.calls(),
        "journeys": so_far.journeys(),
        "steps": so_far.steps(),
        "gates": so_far.report.gates if so_far.report is not None else [],
        "failures": failures[:_MOST_FAILURES],
        "more_failures": max(0, len(failures) - _MOST_FAILURES),
        "use": {arm: (used[arm], unsampled(tally, arm)) for arm in tally.arms},
        "health": tally.health,
        "unfit": list(dict.fromkeys(said for _, said in generator.reasons(tally.health))),
        "charts": recent.draw(tally.arms, so_far.points()),
    }

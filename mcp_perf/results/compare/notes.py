"""What a reader of a comparison of runs must know: by what, with what, and what it cannot show."""

import math
from collections.abc import Iterator, Sequence

from mcp_perf.numbers import said
from mcp_perf.results.compare.comparable import warnings
from mcp_perf.results.document.comparison import CONTROL, Regression
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.stats.runs import FEWEST_RUNS


def notes(
    base: Sequence[RunNumbers], new: RunNumbers, rows: Sequence[Regression], tolerance: float
) -> Iterator[str]:
    """Say how the runs were compared, and what to mind."""
    runs = ", ".join(run.run_id for run in base)
    yield (
        f"Compared with {runs}. Worse by up to {said(tolerance, 'fraction')} is tolerated; "
        "a metric fails only if its whole 95 % interval is beyond that."
    )
    if any(row.versus for row in rows):
        yield (
            f"Arms other than {CONTROL} are compared by their ratio to it, round by round. So "
            "whatever slows both arms cancels out: the machine, and services that both use."
        )
    if len(base) >= FEWEST_RUNS:
        yield f"The intervals include how much the {len(base)} base runs differ."
    elif any(row.ratio is not None and not row.versus and row.verdict for row in rows):
        yield (
            "Intervals include the noise between rounds, but not between runs "
            "(another time, another state of the machine): the tolerance must cover it. With "
            f"{FEWEST_RUNS} base runs in total, the intervals would include it."
        )
    differing = (line for run in base for line in warnings(run.identity, new.identity))
    for line in dict.fromkeys(differing):
        yield f"Not the same: {line}."
    yield from _changed_control(rows, tolerance)
    known = {name for run in base for name in run.arms}
    for arm in new.arms:
        if arm not in known:
            yield f"The arm {arm} is new, so there is nothing in the base to compare it with."


def _changed_control(rows: Sequence[Regression], tolerance: float) -> Iterator[str]:
    limit = math.log1p(tolerance)
    for control in dict.fromkeys(row.versus for row in rows if row.versus):
        changed = [
            f"{row.metric} {said(row.ratio, 'x')}"
            for row in rows
            if row.arm == control and row.verdict is None and row.ratio is not None and row.ci95
            if math.log(row.ci95[0]) > limit or math.log(row.ci95[1]) < -limit
        ]
        if changed:
            yield (
                f"{control} itself has changed ({', '.join(changed)}), so the machine, or "
                f"something that both arms use, has changed. {FEWEST_RUNS} base runs in total "
                "would separate noise from change."
            )

"""A run against the baseline that its journal holds."""

from collections.abc import Mapping
from typing import Any

from mcp_perf.results.compare.baseline import identity, of_arm
from mcp_perf.results.compare.compare import Outcome, compare_runs
from mcp_perf.results.document.document import ArmNumbers
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.tally.tally import RunTally


def against_baseline(
    tally: RunTally, arms: Mapping[str, ArmNumbers], environment: Mapping[str, Any]
) -> Outcome:
    """Compare with the earlier runs that the journal holds; not what was cut off."""
    run, baseline = tally.run, tally.baseline
    if baseline is None:
        return Outcome([], [])
    if not tally.complete:
        return Outcome([], ["Not compared with the baseline: the run was cut off."])
    protocols = {name: arm.protocol for name, arm in arms.items()}
    new = RunNumbers(
        run_id=run.run_id,
        started=run.started,
        verdict="",
        complete=True,
        identity=identity(run.scenario, run.workload, tally.load, environment, protocols),
        arms={name: of_arm(arm) for name, arm in arms.items()},
    )
    return compare_runs(baseline.runs, new, baseline.tolerance)

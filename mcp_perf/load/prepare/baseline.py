"""The baseline of a planned run: it is read and checked before anything is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_perf.load.plan.workload import workload
from mcp_perf.load.prepare.machine import environment
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.results.compare.baseline import BaselineError, identity, read
from mcp_perf.results.compare.comparable import differences
from mcp_perf.results.document.run_numbers import RunIdentity, RunNumbers
from mcp_perf.results.journal.records import Baseline
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.problems.wording import InputError
from mcp_perf.scenario.values.units import fraction


def against(path: str, tolerance: str, scenario: Scenario, load: Mapping[str, Any]) -> Baseline:
    """Read a baseline for a planned run. Raises Refusal with what makes it incomparable."""
    allowed = read_tolerance(tolerance)
    if "calibrate" in load:
        why = "load.calibrate finds a different number of users in each run, so the loads differ"
        cure = "fix the number: --set load.calibrate=null --set load.users=5"
        raise Refusal(f"--baseline {path}: {why}; {cure}")
    try:
        runs = read(Path(path))
    except BaselineError as error:
        raise Refusal(f"--baseline {error}") from error
    planned = identity(scenario.name, workload(scenario), load, environment())
    if problems := refused(runs, planned):
        cannot = f"--baseline {path}: this run cannot be compared with it"
        raise Refusal(*(f"{cannot}; {line}" for line in problems))
    return Baseline(tolerance=allowed, runs=runs)


def read_tolerance(text: str) -> float:
    """Read `--tolerance`, such as 5%. Raises Refusal."""
    try:
        return fraction(text)
    except InputError as error:
        raise Refusal(f"--tolerance: {error.message}; {error.hint}") from error


def refused(base: Sequence[RunNumbers], new: RunIdentity) -> list[str]:
    """Return what makes a run incomparable with a run of the base, each difference once."""
    return list(dict.fromkeys(line for run in base for line in differences(run.identity, new)))

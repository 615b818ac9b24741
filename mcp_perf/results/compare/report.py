"""The document of `mcp-perf compare`: runs against a base, schema `mcp-perf/compare/1`."""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field

from mcp_perf.results.compare.compare import Outcome, compare_runs, verdict_of
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.part import DocumentPart, VerdictName
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.judge.order import CODES
from mcp_perf.results.judge.rule import gravest

SCHEMA: Final = "mcp-perf/compare/1"


class ComparedRun(DocumentPart):
    """One run against the base."""

    run_id: str
    started: str
    verdict: VerdictName
    reasons: list[str]
    regressions: list[Regression]
    notes: list[str]


class CompareReport(DocumentPart):
    """All runs against the base."""

    schema_: Literal["mcp-perf/compare/1"] = Field(default=SCHEMA, alias="schema")
    scenario: str
    base: list[str]
    """The ids of its runs."""
    tolerance: float
    verdict: VerdictName
    exit_code: int
    runs: list[ComparedRun]


def compare_all(
    base: Sequence[RunNumbers], runs: Sequence[RunNumbers], tolerance: float
) -> CompareReport:
    """Compare each run with the base, all of them comparable (`comparable.py`)."""
    compared = [_compared(base, run, tolerance) for run in runs]
    worst = gravest(one.verdict for one in compared)
    return CompareReport(
        scenario=base[0].identity.scenario,
        base=[run.run_id for run in base],
        tolerance=tolerance,
        verdict=worst,
        exit_code=CODES[worst],
        runs=compared,
    )


def unfit(run: RunNumbers) -> str:
    """Say why a run is no evidence; empty when it is."""
    if run.verdict == "INVALID":
        return f"{run.run_id} is INVALID: its numbers are not those of the target."
    return "" if run.complete else f"{run.run_id} was cut off before it was done."


def _compared(base: Sequence[RunNumbers], run: RunNumbers, tolerance: float) -> ComparedRun:
    broken = [reason for reason in map(unfit, (*base, run)) if reason]
    if broken:
        invalid = any(part.verdict == "INVALID" for part in (*base, run))
        verdict: VerdictName = "INVALID" if invalid else "INCONCLUSIVE"
        reasons, outcome = [*broken, "Nothing was compared: run it again."], Outcome([], [])
    else:
        outcome = compare_runs(base, run, tolerance)
        rows = outcome.regressions
        verdict = verdict_of(rows)
        reasons = [row.reason for row in rows if row.verdict == verdict and row.reason]
    return ComparedRun(
        run_id=run.run_id,
        started=run.started,
        verdict=verdict,
        reasons=reasons or ["No metric is worse than is tolerated."],
        regressions=outcome.regressions,
        notes=outcome.notes,
    )

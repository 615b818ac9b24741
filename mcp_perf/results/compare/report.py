"""The document of `mcp-perf compare`: runs against a base, schema `mcp-perf/compare/1`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal

from pydantic import Field

from mcp_perf.results.compare.compare import BASE, HEAD, Outcome, compare_pairs, compare_runs
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.part import DocumentPart, VerdictName
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.judge.order import CODES
from mcp_perf.results.judge.rule import gravest

SCHEMA: Final = "mcp-perf/compare/1"
_DEEDS: Final = "But a single pair is not PASS: a note says why, and limits may allow it."


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
    compared = [
        _compared(run.run_id, [*base, run], partial(compare_runs, base, run, tolerance))
        for run in runs
    ]
    return _report(base[0].identity.scenario, [run.run_id for run in base], tolerance, compared)


def compare_releases(
    pairs: Sequence[RunNumbers], lines: Sequence[str], tolerance: float, remarks: Sequence[str]
) -> CompareReport:
    """Compare the arms `base` and `head` of several runs; `lines` are the targets of the two."""
    arms = [run.arms for run in pairs]
    note = (
        f"{len(pairs)} pairs of fresh processes, in each of them "
        f"{len(arms[0][HEAD].rounds['throughput'])} rounds of {BASE} and {HEAD}, taking turns. "
        "Each round is divided by its partner, so whatever slows the machine cancels out. The "
        "intervals include how much the pairs differ."
    )
    found = _compared(lines[1], pairs, lambda: Outcome(compare_pairs(arms, tolerance), []))
    changed: dict[str, Any] = {"notes": [note, *remarks]}
    if found.verdict == "PASS" and any(run.verdict != "PASS" for run in pairs):
        changed |= {"verdict": "INCONCLUSIVE", "reasons": [f"{found.reasons[0]} {_DEEDS}"]}
    one = found.model_copy(update=changed)
    return _report(pairs[0].identity.scenario, lines[:1], tolerance, [one])


def unfit(run: RunNumbers) -> str:
    """Say why a run is not evidence; empty if it is."""
    if run.verdict == "INVALID":
        return f"{run.run_id} is INVALID: its numbers do not describe the target."
    return "" if run.complete else f"{run.run_id} was cut off before it was complete."


def _compared(
    name: str, evidence: Sequence[RunNumbers], compare: Callable[[], Outcome]
) -> ComparedRun:
    reasons = list(filter(None, map(unfit, evidence)))
    if reasons:
        outcome, reasons = Outcome([], []), [*reasons, "Nothing was compared: run it again."]
        invalid = any(run.verdict == "INVALID" for run in evidence)
        verdict: VerdictName = "INVALID" if invalid else "INCONCLUSIVE"
    else:
        outcome = compare()
        rows = outcome.regressions
        verdict = gravest(row.verdict for row in rows)
        reasons = [row.reason for row in rows if row.verdict == verdict and row.reason]
    return ComparedRun(
        run_id=name,
        started=evidence[-1].started,
        verdict=verdict,
        reasons=reasons or ["No metric is worse than the tolerance allows."],
        regressions=outcome.regressions,
        notes=outcome.notes,
    )


def _report(
    scenario: str, base: Sequence[str], tolerance: float, compared: list[ComparedRun]
) -> CompareReport:
    worst = gravest(one.verdict for one in compared)
    return CompareReport(
        scenario=scenario,
        base=list(base),
        tolerance=tolerance,
        verdict=worst,
        exit_code=CODES[worst],
        runs=compared,
    )

"""From a journal to the finished report: the one place where all numbers come together."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from mcp_perf.outcomes import CROSSED_REPLY, HARNESS_ERROR, OK
from mcp_perf.results.compare.baseline import run_numbers
from mcp_perf.results.compare.compare import Outcome, compare_runs
from mcp_perf.results.document.comparison import CONTROL, Comparison, Regression, control_of
from mcp_perf.results.document.document import ArmNumbers, Capacity, GateResult, Generator, Report
from mcp_perf.results.journal.journal import JournalError, read
from mcp_perf.results.journal.records import AnyRecord, SampleRecord
from mcp_perf.results.judge import capacity, generator
from mcp_perf.results.judge.drops import with_drops
from mcp_perf.results.judge.levels import (
    LevelKey,
    by_level,
    climbed,
    evidence_of,
    judge_levels,
    within,
)
from mcp_perf.results.judge.outages import MOST_HEALED
from mcp_perf.results.judge.shares import fails_by_deeds
from mcp_perf.results.judge.verdict import MOST_FAILED, Facts, SearchFacts, decide
from mcp_perf.results.report.arms import arm_numbers
from mcp_perf.results.report.drifts import drift_notes
from mcp_perf.results.report.failures import failed, failures
from mcp_perf.results.report.layers import layers
from mcp_perf.results.report.notes import notes
from mcp_perf.results.report.parts import compared_parts
from mcp_perf.results.report.replies import replies
from mcp_perf.results.stats.rounds import holm, pair
from mcp_perf.results.tally.arm_facts import losses, sharing
from mcp_perf.results.tally.groups import CALL
from mcp_perf.results.tally.metrics import COMPARED, Evidence, Totals, paired
from mcp_perf.results.tally.steadiness import drifts
from mcp_perf.results.tally.tally import RunTally, fold
from mcp_perf.scenario.model.gates import Gate, GateError, parse

Levels = Mapping[str, Mapping[LevelKey, Evidence]]
"""By arm or part of one, such as a step."""
Capacities = Mapping[str, Capacity]
JOURNAL: Final = "journal.jsonl"
BLEMISHES: Final = ("session_lost", "interrupted_calls", "system_died", "unchecked_schema")
"""Codes of the notes that a clean run does not have."""
COMPARED_WHERE_KNOWN: Final = ("cpu_per_journey", "rss", "bytes_per_journey")
"""Compared only if both arms have a number: what was not sampled is not a failed comparison."""
NO_RUN: Final = (LookupError, AttributeError, ArithmeticError, TypeError, ValueError)
"""What valid records raise if they do not add up to a run."""


def load_report(run_folder: Path) -> tuple[Report, list[SampleRecord]]:
    """Read the journal of a run folder; return the report and the calls that were kept whole.

    Raises JournalError when there is no journal, or it cannot be read.
    """
    path = run_folder / JOURNAL
    if os.path.isfile(run_folder):  # noqa: PTH113 -- the other one may raise
        raise JournalError(f"It is a file: name the folder of a run, such as {run_folder.parent}.")
    if not os.path.isfile(path):  # noqa: PTH113
        raise JournalError(f"There is no {JOURNAL} in {run_folder}: name the folder of a run.")
    samples: list[SampleRecord] = []
    try:
        return build(_keeping(samples, read(path))), samples
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}.") from error
    except NO_RUN as error:
        raise JournalError(f"{path} is not the journal of one run: {error!r}") from error


def build(records: Iterable[AnyRecord]) -> Report:
    """Build a run's report from its journal's records, in order. Raises JournalError."""
    return report_of(fold(records))


def report_of(tally: RunTally) -> Report:
    """Build the report of what a tally holds, which may be a part of a run. Raises JournalError."""
    by_turn = {number: Totals([turn]) for number, turn in sorted(tally.turns.items())}
    evidence = {arm: evidence_of(tally, arm, tally.measured(arm), by_turn) for arm in tally.arms}
    asked = _gates(tally)
    capacities = capacity.capacities(tally, asked)
    levels = {arm: by_level(tally, arm, by_turn) for arm in tally.arms}
    judged = evidence | {}
    for focus in {side for gate in asked for side in gate.sides if side.kind}:
        judged[str(focus)], levels[str(focus)] = within(tally, focus)
    gates = list(_judged(asked, judged, levels, capacities))
    # If the load changes, what is measured changes with it.
    drift = {arm: drifts(what) if len(levels[arm]) == 1 else [] for arm, what in evidence.items()}
    parts = {} if capacities else compared_parts(evidence, _bases(evidence))
    arms = {
        arm: arm_numbers(tally, arm, what.totals, by_turn, drift[arm], parts, capacities.get(arm))
        for arm, what in evidence.items()
    }
    replied = replies(tally)
    counts = (failed(arm, what.totals.steps) for arm, what in evidence.items())
    run = tally.run
    workload = {"workload": run.workload} if run.workload else {}
    environment = {"seed": run.seed, "load": tally.load, **workload, **run.environment}
    compared = _against_baseline(tally, arms, environment)
    by_deeds = _by_deeds(asked, judged, levels, generator.unfit(tally.health))
    search = capacity.facts(capacities, asked) or climbed(tally)
    decision = decide(_facts(tally, evidence, gates, by_deeds, compared.regressions, search))
    return Report(
        scenario=run.scenario,
        title=run.title,
        run_id=run.run_id,
        started=run.started,
        duration_s=tally.last_s,
        verdict=decision.verdict,
        exit_code=decision.exit_code,
        complete=tally.complete,
        reasons=decision.reasons,
        arms=arms,
        comparisons=_comparisons(tally, evidence, capacities),
        layers=layers(run.layers, evidence),
        regressions=compared.regressions,
        gates=gates,
        generator=_generator(tally, evidence),
        environment=environment,
        timeline=tally.timeline.points(),
        resources=tally.resources.points(),
        sessions=tally.sessions.points(),
        failures=failures(tally, chain.from_iterable(counts)),
        replies=replied,
        notes=[
            *(remark for step in replied for remark in step.remarks),
            *capacity.remarks(capacities, asked),
            *notes(tally, evidence),
            *(text for arm, found in drift.items() for text in drift_notes(arm, found)),
            *compared.notes,
        ],
    )


def _facts(
    tally: RunTally,
    evidence: Mapping[str, Evidence],
    gates: list[GateResult],
    by_deeds: Collection[str],
    regressions: list[Regression],
    search: SearchFacts | None,
) -> Facts:
    return Facts(
        gates=gates,
        failed_by_deeds=by_deeds,
        regressions=regressions,
        most_failed=tally.run.limits.get("errors", MOST_FAILED),
        most_healed=tally.run.limits.get("healed", MOST_HEALED),
        target_cpu=tally.run.limits.get("target_cpu", 1.0),
        lost={arm: losses(tally, arm) for arm in evidence},
        clean=not any(_blemishes(tally)),
        arms={arm: found.totals for arm, found in evidence.items()},
        health=tally.health,
        complete=tally.complete,
        ended="" if tally.ended is None else tally.ended.reason,
        workers_lost=_lost(tally),
        idle_workers=_idle(tally),
        short_rounds=_short(tally),
        harness_errors=tally.harness_errors,
        harness_example=next(
            (detail for (_, _, cls), detail in tally.examples.items() if cls == HARNESS_ERROR), ""
        ),
        search=search,
        outages=tally.outages,
        aborted=next((note.text for note in tally.notes if note.code == "aborted"), ""),
        crossed={arm: n for (arm, kind), n in tally.strays.items() if kind == CROSSED_REPLY},
    )


def _against_baseline(
    tally: RunTally, arms: Mapping[str, ArmNumbers], environment: Mapping[str, Any]
) -> Outcome:
    """Compare with the earlier runs that the journal holds, unless this run was cut off."""
    run, baseline = tally.run, tally.baseline
    if baseline is None:
        return Outcome([], [])
    if not tally.complete:
        return Outcome([], ["Not compared with the baseline: the run was cut off."])
    about = {"run_id": run.run_id, "started": run.started, "verdict": "", "complete": True}
    new = run_numbers(run.scenario, environment, arms, **about)
    return compare_runs(baseline.runs, new, baseline.tolerance)


def _by_deeds(
    asked: Iterable[Gate], evidence: Mapping[str, Evidence], levels: Levels, unfit: Collection[int]
) -> set[str]:
    """Return the gates that fail because of what the target itself did, at any level."""
    found = set()
    for gate in asked:
        name = str(gate.focus)
        parts = [*levels.get(name, {}).values(), *([evidence[name]] if name in evidence else [])]
        if fails_by_deeds(gate, parts, unfit):
            found.add(gate.text)
    return found


def _blemishes(tally: RunTally) -> Iterator[int]:
    for turn in tally.turns.values():
        yield sum(part.n for what, part in turn.parts.items() if what.cls != OK)
        yield sum(share.ended.dropped for share in turn.shares.values() if share.ended)
    yield sum(n for (_, cls), n in tally.setup.items() if cls != OK)
    yield sum(note.count for note in tally.notes if note.code in BLEMISHES)
    yield sum(tally.strays.values())


def _lost(tally: RunTally) -> list[str]:
    return [note.node or note.text for note in tally.notes if note.code == "worker_lost"]


def _judged(
    asked: Iterable[Gate], evidence: Mapping[str, Evidence], levels: Levels, capacities: Capacities
) -> Iterator[GateResult]:
    """Judge the gates; in a search only those on the capacity, because trials judge the rest."""
    for gate in asked:
        if gate.metric == capacity.METRIC:
            yield capacity.judge(gate, capacities)
        elif not capacities:
            yield judge_levels(gate, evidence, levels)


def _gates(tally: RunTally) -> list[Gate]:
    try:
        return [parse(text) for text in tally.run.gates]
    except GateError as error:
        raise JournalError(f"A gate of this run is not known to this version: {error}") from error


def _keeping(samples: list[SampleRecord], records: Iterable[AnyRecord]) -> Iterator[AnyRecord]:
    for record in records:
        if isinstance(record, SampleRecord):
            samples.append(record)
        yield record


def _idle(tally: RunTally) -> list[str]:
    calls: Counter[str] = Counter()
    for turn in tally.turns.values():
        for node, share in turn.shares.items() if turn.measured else ():
            if share.ended is not None and share.ended.users:
                calls[node] += sum(n for what, n in share.done.items() if what.kind == CALL)
    return sorted(node for node, n in calls.items() if not n) if len(calls) > 1 else []


def _short(tally: RunTally) -> list[str]:
    short = (turn for turn in tally.turns.values() if turn.measured and turn.missing_users)
    return [
        f"round {turn.started.round} of {turn.started.arm} had "
        f"{turn.started.users - turn.missing_users} of {turn.started.users}"
        for turn in short
    ]


def _comparisons(
    tally: RunTally, evidence: Mapping[str, Evidence], capacities: Capacities
) -> list[Comparison]:
    """Compare each arm with its control in every metric; they are one family of tests."""
    against = _bases(evidence)
    if capacities:
        return capacity.ratios(capacities, against)
    pairs = [
        pair(metric, arm, base, *paired(metric, evidence[arm], evidence[base]))
        for arm, base in against.items()
        for metric in _compared(evidence[arm], evidence[base], shared=base in sharing(tally, arm))
    ]
    return [
        _of_one_start(with_drops(found, evidence[found.arm], evidence[found.versus]))
        for found in holm(pairs)
    ]


def _bases(arms: Collection[str]) -> dict[str, str]:
    """Return what each arm is compared with: its control, or the first arm if there is none."""
    first = CONTROL if CONTROL in arms else next(iter(arms), "")
    bases = {arm: control_of(arm, arms) or first for arm in arms}
    return {arm: base for arm, base in bases.items() if arm != base}


def _compared(arm: Evidence, base: Evidence, *, shared: bool) -> list[str]:
    """Return the metrics in which two arms are compared; memory that they share is left out."""
    known = (
        metric
        for metric in COMPARED_WHERE_KNOWN
        if all(what.totals.value(metric) for what in (arm, base))
        and not (shared and metric == "rss")
    )
    return [*COMPARED, *known]


def _of_one_start(comparison: Comparison) -> Comparison:
    """Warn that each arm's processes were started once: the interval covers no other start."""
    if comparison.metric != "rss" or comparison.ci95 is None:
        return comparison
    warning = "Each arm has one start of its processes: the interval does not cover another start."
    return comparison.model_copy(update={"warnings": [*comparison.warnings, warning]})


def _generator(tally: RunTally, evidence: Mapping[str, Evidence]) -> Generator:
    health = tally.health
    calls = sum(found.totals.calls for found in evidence.values())
    return Generator(
        cpu_percent=health.cpu_percent,
        cpu_us_per_call=health.cpu_s * 1e6 / calls if calls else None,
        late_starts=health.late_starts,
        loop_lag_p99_ms=health.loop_lag_p99_ms,
        lost_s=health.lost_s,
        causes=list(dict.fromkeys(code for code, _ in generator.reasons(health))),
        processes=len({node for turn in tally.turns.values() for node in turn.shares}),
        sessions=tally.sessions.of_generator(),
        workers_lost=_lost(tally),
    )

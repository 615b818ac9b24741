"""A run against earlier ones: what got worse, shown and not guessed.

| an arm | is compared by | what its interval holds |
|---|---|---|
| next to a control | its ratio to the control, round by round | rounds; the machine cancels |
| the control, or alone | its own values | rounds; the tolerance stands for the rest |
| either, with three base runs or more | the mean of each run | how much runs differ, too |
| head, with base in each of many runs | its ratio to base, run by run | how much these differ |

FAIL only when the whole interval lies beyond the tolerance, PASS only when none of it does. A time
or a rate that is within it as measured, but too noisy for that to be shown, is left unjudged if
another time or rate of its arm is shown to be within. What the base has and the new run lacks is
never PASS.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, NamedTuple

from mcp_perf.numbers import out_of, said
from mcp_perf.results.compare.baseline import pooled
from mcp_perf.results.compare.notes import notes
from mcp_perf.results.document.comparison import Regression, control_of
from mcp_perf.results.document.run_numbers import ArmRounds, RunNumbers
from mcp_perf.results.judge import rule
from mcp_perf.results.stats import runs as stats
from mcp_perf.results.stats.rounds import FEWEST_ROUNDS, NO_NOISE, certain, rounds_needed, same
from mcp_perf.results.tally.metrics import COMPARED, whose
from mcp_perf.scenario.model.gates import METRICS

ERRORS: Final = "error_rate"
_UNITS: Final[Mapping[str, str]] = {"time": "ms", "rate": "/s", "fraction": "fraction"}
_NOISY: Final = "Not judged: it is within the tolerance, but too noisy to be sure."
_ERROR_MARGIN: Final = 0.001
"""An error rate passes if it is shown to be higher by less than this."""
BASE: Final = "base"
HEAD: Final = "head"
"""The arms of runs that hold both sides."""


class Outcome(NamedTuple):
    """The result of a comparison."""

    regressions: list[Regression]
    notes: list[str]


@dataclass(frozen=True)
class _Judgement(rule.Judgement):
    """A judgement of two runs, and the change that it rests on if they have a ratio."""

    change: stats.Change | None = None


@dataclass(frozen=True)
class _Metric:
    arm: str
    name: str
    versus: str
    base: Sequence[Mapping[str, ArmRounds]]
    """The arms of each base run that has this one."""
    new: Mapping[str, ArmRounds]
    tolerance: float
    pairs: Sequence[Mapping[str, ArmRounds]] = ()
    """Runs that hold both sides, if there are any: `base` and `new` then pool all of them."""

    @property
    def unit(self) -> str:
        return _UNITS[METRICS[self.name].kind]

    @property
    def sign(self) -> int:
        """The direction that is worse: up for times and errors, down for rates."""
        return -1 if METRICS[self.name].kind == "rate" else 1

    @property
    def befores(self) -> list[float]:
        values = [arms[self.arm].values.get(self.name) for arms in self.base]
        return [value for value in values if value is not None]

    @property
    def before(self) -> float | None:
        return math.fsum(self.befores) / len(self.befores) if self.befores else None

    @property
    def after(self) -> float | None:
        return self.new[self.arm].values.get(self.name)

    @property
    def subject(self) -> str:
        by = f" by {self.versus}" if self.versus else ""
        return f"{self.arm}.{self.name}{by}"

    def logs(self, arms: Mapping[str, ArmRounds]) -> list[float] | None:
        """Return the logarithms of one run's rounds; None if a round has no value, or zero."""
        rounds = arms[self.arm].rounds.get(self.name, [])
        versus = BASE if self.pairs else self.versus
        if not versus:
            return [math.log(value) for value in rounds if value] if all(rounds) else None
        others = arms[versus].rounds.get(self.name, [])
        if len(others) != len(rounds) or not all(rounds) or not all(others):
            return None
        pairs = zip(rounds, others, strict=True)
        return [math.log(value / other) for value, other in pairs if value and other]


def compare_runs(base: Sequence[RunNumbers], new: RunNumbers, tolerance: float) -> Outcome:
    """Compare a run with one or more earlier ones, which must be comparable (`comparable.py`).

    `tolerance` is the fraction by which a metric may be worse.
    """
    rows = _settled(list(_rows([run.arms for run in base], new.arms, tolerance)), tolerance)
    return Outcome(rows, list(notes(base, new, rows, tolerance)))


def compare_pairs(pairs: Sequence[Mapping[str, ArmRounds]], tolerance: float) -> list[Regression]:
    """Compare the arms `base` and `head` of several runs, as one question. Needs `FEWEST_RUNS`."""
    base, head = (pooled([arms[side] for arms in pairs]) for side in (BASE, HEAD))
    return _settled(list(_rows([{HEAD: base}], {HEAD: head}, tolerance, pairs)), tolerance)


def _rows(
    base: Sequence[Mapping[str, ArmRounds]],
    new: Mapping[str, ArmRounds],
    tolerance: float,
    pairs: Sequence[Mapping[str, ArmRounds]] = (),
) -> Iterator[Regression]:
    for arm in dict.fromkeys(name for arms in base for name in arms):
        having = [arms for arms in base if arm in arms]
        if arm not in new or not new[arm].ended:
            what = "made no call that ended" if arm in new else "is not in this run"
            yield _absent(arm, "calls", f"The arm {arm} of the base {what}.")
            continue
        versus = _versus(arm, having, new)
        if not any(arms[arm].values for arms in having):
            yield _absent(arm, "calls", f"The base has the arm {arm}, but none of its calls.")
        for name in COMPARED:
            divisor = "" if name == ERRORS else versus
            metric = _Metric(arm, name, divisor, having, new, tolerance, pairs)
            if metric.before is not None:
                yield _row(metric)
        done = set(new[arm].steps)
        for step in dict.fromkeys(step for arms in having for step in arms[arm].steps):
            if step not in done:
                yield _absent(arm, f"step {step}", f"{arm} never came to {step}; the base did.")


def _settled(rows: Sequence[Regression], tolerance: float) -> list[Regression]:
    """Leave unjudged what only noise keeps open, if another metric of that unit passed."""
    shown = {(row.arm, row.unit) for row in rows if row.verdict == "PASS"}
    return [
        row.model_copy(update={"verdict": None, "reason": _NOISY})
        if (row.arm, row.unit) in shown and _noisy(row, tolerance)
        else row
        for row in rows
    ]


def _noisy(row: Regression, tolerance: float) -> bool:
    if row.verdict != "INCONCLUSIVE" or row.ratio is None or row.ci95 is None:
        return False
    rate = METRICS[row.metric].kind == "rate"
    worse, worst = (1 / row.ratio, 1 / row.ci95[0]) if rate else (row.ratio, row.ci95[1])
    return worse <= 1 + tolerance < worst


def _versus(arm: str, base: Sequence[Mapping[str, ArmRounds]], new: Mapping[str, ArmRounds]) -> str:
    control = control_of(arm, new)
    known = control and new[control].ended and all(control in arms for arms in base)
    return control if known else ""


def _absent(arm: str, metric: str, reason: str) -> Regression:
    unknown = ("base", "new", "ratio", "ci95", "p_value", "effect_needed")
    nothing: dict[str, Any] = dict.fromkeys(unknown)
    return Regression(
        **nothing,
        metric=metric,
        arm=arm,
        versus="",
        unit="count",
        verdict="INCONCLUSIVE",
        reason=f"{reason} What is missing counts as worse.",
    )


def _row(metric: _Metric) -> Regression:
    judgement = _errors(metric) if metric.name == ERRORS else _ratio(metric)
    change, judged = judgement.change, not _is_measure(metric, judgement)
    return Regression(
        metric=metric.name,
        arm=metric.arm,
        versus=metric.versus,
        unit=metric.unit,
        base=metric.before,
        new=metric.after,
        ratio=None if change is None else math.exp(change.mean),
        ci95=judgement.ci95 if change is None else _ratio_of(change),
        p_value=None if change is None else change.p,
        effect_needed=None if change is None else math.exp(change.needed),
        verdict=judgement.verdict if judged else None,
        reason=judgement.reason if judged else "Not judged: the other arms are compared with it.",
    )


def _ratio_of(change: stats.Change) -> rule.Interval:
    return math.exp(change.mean - change.half), math.exp(change.mean + change.half)


def _is_measure(metric: _Metric, judgement: _Judgement) -> bool:
    """Tell whether a control is not judged, because others are measured by it.

    It can only fail, and only if the base has enough runs to tell its change from that of the
    machine.
    """
    others = (arm for arm in metric.new if control_of(arm, metric.new) == metric.arm)
    measures = not control_of(metric.arm, metric.new) and any(
        all(other in arms for arms in metric.base) for other in others
    )
    shown = judgement.verdict == "FAIL" and len(metric.base) >= stats.FEWEST_RUNS
    return measures and not shown and judgement.change is not None


def _ratio(metric: _Metric) -> _Judgement:
    problem = _unfit(metric)
    if problem is not None:
        return problem
    if metric.pairs:
        return _of_pairs(metric)
    base = [logs for logs in map(metric.logs, metric.base) if logs]
    new = metric.logs(metric.new)
    if new is None or len(base) < len(metric.base):
        where = f" (or of {metric.versus})" if metric.versus else ""
        return _open(f"{metric.subject} has no value in some rounds{where}: no ratio.")
    few = min(map(len, [*base, new]))
    if few < FEWEST_ROUNDS:
        hint = f"make at least {FEWEST_ROUNDS} in each."
        return _open(f"{few} rounds are too few to show a change between runs: {hint}")
    if all(map(same, [*base, new])):
        return _open(f"{metric.subject} is the same in every round: {NO_NOISE}")
    if len(base) >= stats.FEWEST_RUNS:
        usual = 0 if metric.versus else stats.USUAL_SPREAD
        return _verdict(metric, stats.between_runs(base, new, usual), None)
    rounds = [log for run in base for log in run]
    return _verdict(metric, stats.between_rounds(rounds, new), len(new))


def _of_pairs(metric: _Metric) -> _Judgement:
    means = [fmean(logs) for logs in map(metric.logs, metric.pairs) if logs]
    if len(means) < len(metric.pairs):
        return _open(f"{metric.subject} has no value in some rounds of a pair: no ratio.")
    if same(means):
        return _open(f"{metric.subject} by {BASE} is the same in every pair: {NO_NOISE}")
    return _verdict(metric, stats.between_pairs(means), len(means))


def _unfit(metric: _Metric) -> _Judgement | None:
    now, few = metric.new[metric.arm], _few(metric)
    fell = metric.after is None and metric.unit == "ms" and now.failed > 0
    # As with a gate, a single failure says nothing about a percentile of too few calls.
    if fell and (few is None or now.failed > 1):
        reached = f"{metric.subject} falls on a failed {whose(metric.name).removesuffix('s')}"
        counted = f"{out_of(now.failed, now.ended, 'call')} failed"
        why = f"{counted}, and failed calls count as slower than all others."
        return _Judgement("FAIL", f"{reached}: {why}")
    if metric.after is None and not fell:
        lacks = "was measured in the base, but could not be measured in this run."
        return _open(f"{metric.subject} {lacks}")
    if metric.unit == "/s" and not metric.after and all(metric.befores):
        was = said(metric.before or 0, metric.unit)
        zero = f"{metric.subject} is zero in this run, but was {was} in the base."
        return _Judgement("FAIL", zero)
    return few


def _few(metric: _Metric) -> _Judgement | None:
    """Say that a percentile has too few samples for one to lie beyond it; None if it has enough."""
    needed, what = rule.samples_needed(metric.name), whose(metric.name)
    for arms in (*metric.base, metric.new):
        n: int = getattr(arms[metric.arm], what)
        if n < needed:
            return _open(f"{n} {what} are too few for {metric.name}: make at least {needed}.")
    return None


def _open(reason: str) -> _Judgement:
    return _Judgement("INCONCLUSIVE", reason)


def _verdict(metric: _Metric, change: stats.Change, rounds: int | None) -> _Judgement:
    """Judge the interval by the tolerance; `rounds` is None if runs were the unit."""
    limit = math.log1p(metric.tolerance)
    worse = metric.sign * change.mean
    low, high = worse - change.half, worse + change.half
    # What slows the machine slows the control, too: only an arm without one has to be guarded.
    guarded = low if metric.versus or metric.pairs else worse - change.guard
    verdict = rule.decided((low, high), limit.__ge__)
    if verdict == "PASS":
        beyond = _beyond(metric)
        return _Judgement("INCONCLUSIVE" if beyond else "PASS", beyond, change=change)
    bound = said(math.exp(metric.sign * limit), rule.RATIO)
    mean, between = math.exp(change.mean), rule.between(_ratio_of(change), rule.RATIO)
    of_base = f"{said(mean, rule.RATIO)} the base, {between}"
    if verdict == "INCONCLUSIVE":
        unit = "pairs" if metric.pairs else "rounds in each run"
        hint = "The base runs differ too much to decide: save more of them, or raise the tolerance."
        if rounds is not None:
            needed = rounds_needed(rounds, (low, high), worse, limit)
            hint = rule.advice(needed, unit, "tolerance")
        why = f"{bound} is neither proven nor ruled out. {hint}"
    elif guarded <= limit:
        verdict = "INCONCLUSIVE"
        why = (
            "but rounds vary so much that two equal runs could differ as much. "
            f"{stats.FEWEST_RUNS} base runs in total, or a quieter machine, would decide it."
        )
    else:
        was, now = (said(value or 0.0, metric.unit) for value in (metric.before, metric.after))
        why = f"the tolerance ends at {bound} ({metric.name} was {was}, is {now})."
    return _Judgement(verdict, f"{metric.subject} is {of_base} (95 %); {why}", change=change)


def _beyond(metric: _Metric) -> str:
    """Say why a time that seems as good may not be; empty if nothing speaks against it."""
    now = metric.new[metric.arm]
    parts = [arms[metric.arm] for arms in metric.base]
    planned = sum(part.planned for part in parts)
    before = sum(part.dropped for part in parts) / planned if planned else 0.0
    if metric.unit != "ms" or not now.dropped or now.dropped / now.planned <= before:
        return ""
    more = ", more than in the base"
    return rule.no_latency(now.dropped, now.planned, metric.arm, metric.name, more=more)


def _errors(metric: _Metric) -> _Judgement:
    """Judge failures by their counts, because two rates of zero have no ratio.

    If the calls of a round share a cause, such as a burst of failures, they prove less.
    """
    parts = [arms[metric.arm] for arms in metric.base]
    base = sum(part.failed for part in parts), sum(part.ended for part in parts)
    new = metric.new[metric.arm].failed, metric.new[metric.arm].ended
    shares = [certain(_by_round(side)) for side in (parts, [metric.new[metric.arm]])]
    # A side without a burst may still have bursts, so both sides take the smaller share.
    of_base, of_new = ((n * min(shares), of * min(shares)) for n, of in (base, new))
    low, high = stats.rate_difference(of_base, of_new)
    before = base[0] / base[1]
    margin = metric.tolerance * before
    counted = f"{out_of(*new, 'call')} failed, {out_of(*base, 'call')} in the base"
    if low > margin:
        more = said(low, "fraction")
        return _Judgement("FAIL", f"{counted}: at least {more} more (95 %).", ci95=(low, high))
    if new[0] / new[1] <= before or high <= max(margin, _ERROR_MARGIN):
        return _Judgement("PASS", ci95=(low, high))
    reason = f"{counted}: more, but this may be chance. Run longer."
    return _Judgement("INCONCLUSIVE", reason, ci95=(low, high))


def _by_round(parts: Sequence[ArmRounds]) -> list[tuple[float, float]]:
    """Return (failed, all) calls of each round, as if all rounds had the same number of calls."""
    found = []
    for part in parts:
        rates = [rate for rate in part.rounds.get(ERRORS, []) if rate is not None]
        found += [(rate * part.ended / len(rates), part.ended / len(rates)) for rate in rates]
    return found

"""The leaderboard: means as they are published, and how far they can be trusted."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from operator import add
from statistics import median, stdev
from typing import Final, Literal, NamedTuple

from pydantic import Field

from mcp_perf.agent.records import Number, TaskRecord
from mcp_perf.agent.tasks import MODES
from mcp_perf.results.document.part import DocumentPart
from mcp_perf.results.stats.mean import ALPHA
from mcp_perf.results.stats.rounds import holm_factors
from mcp_perf.results.stats.samples import change_interval, outliers, rank_test

SCHEMA: Final = "mcp-perf/agent/1"
OVERALL: Final = "Overall"
_CENT: Final = Decimal("0.01")


class Measure(NamedTuple):
    """One metric of the leaderboard."""

    title: str
    of: Callable[[TaskRecord], Number | None]
    """A run's value; None if nobody recorded it."""
    divisor: int = 1
    """The mean is divided by this."""
    binary: bool = False


MEASURES: Final = (
    Measure("Duration (s)", lambda one: one.duration, 1000),
    Measure("API calls", lambda one: one.api_calls),
    Measure("Interactions", lambda one: one.interactions),
    Measure("Tokens", lambda one: one.total_tokens),
    Measure("Cache reads", lambda one: one.cache_reads),
    Measure("Cache writes", lambda one: one.cache_writes),
    Measure("Cost ($)", lambda one: one.cost),
    Measure("Success rate (%)", lambda one: 100 * bool(one.success), binary=True),
)


class Spread(DocumentPart):
    """How the runs of one mode differ in a metric; runs without a number are left out."""

    n: int
    median: float | None
    sd: float | None


class MeasuredChange(DocumentPart):
    """A metric with MCP and without."""

    metric: str
    control: float | None
    """The mean over all rows, failures included, as published: rounded half up, at two decimals."""
    mcp: float | None
    change_percent: float | None
    """(mcp - control) / control, of the means before they were rounded."""
    spread: dict[str, Spread]
    change_ci95: tuple[float, float] | None
    """In percent, for this metric alone."""
    p_value: float | None
    """From the rank test within tasks and models, after Holm's correction over all metrics, and
    over all tasks (or models)."""
    outliers: list[str] = Field(default_factory=list)
    without_outliers_percent: float | None = None
    """The change without the outliers."""

    @property
    def differs(self) -> bool:
        return self.p_value is not None and self.p_value < ALPHA


class RunGroup(DocumentPart):
    """Runs that are compared together: all runs, or a task's, or a model's."""

    title: str
    rows: dict[str, int]
    """How many rows each mode has."""
    metrics: list[MeasuredChange]


class Leaderboard(DocumentPart):
    """What the runs of agents say about MCP."""

    schema_: Literal["mcp-perf/agent/1"] = Field(default=SCHEMA, alias="schema")
    sentence: str
    groups: list[RunGroup]
    """Overall, by task, by model."""
    remarks: list[str]


def leaderboard(records: Sequence[TaskRecord], remarks: Iterable[str] = ()) -> Leaderboard:
    """Compare all runs, the runs of each task, and, if there are several models, of each model."""
    tasks, models = defaultdict(list), defaultdict(list)
    for one in records:
        tasks[one.task_id].append(one)
        models[one.model or "(unknown)"].append(one)
    families = (
        [(OVERALL, records)],
        [(f"Task {number}", rows) for number, rows in sorted(tasks.items())],
        [(f"Model {name}", rows) for name, rows in sorted(models.items()) if len(models) > 1],
    )
    overall, by_task, by_model = (_family(family) for family in families)
    return Leaderboard(
        sentence=_sentence(overall[0], by_task),
        groups=[*overall, *by_task, *by_model],
        remarks=[*_lacking(records), *remarks],
    )


def rounded(value: float | None) -> float | None:
    """Round to two decimals, half up on the exact binary value."""
    if value is None:
        return None
    return float(Decimal(value).quantize(_CENT, ROUND_HALF_UP)) + 0.0


def _family(groups: Sequence[tuple[str, Sequence[TaskRecord]]]) -> list[RunGroup]:
    """Compare groups in every metric, and correct the p-values for their number."""
    alone = [_change(rows, measure) for _, rows in groups for measure in MEASURES]
    factors = holm_factors([one.p_value for one in alone])
    fair = iter(
        one if p is None else one.model_copy(update={"p_value": min(1.0, factor * p)})
        for one, factor in zip(alone, factors, strict=True)
        for p in (one.p_value,)
    )
    return [
        RunGroup(
            title=title,
            rows={mode: sum(one.mode == mode for one in rows) for mode in MODES},
            metrics=[next(fair) for _ in MEASURES],
        )
        for title, rows in groups
    ]


def _change(records: Sequence[TaskRecord], measure: Measure) -> MeasuredChange:
    sides = [[one for one in records if one.mode == mode] for mode in MODES]
    means = [_mean(side, measure) for side in sides]
    known = [[float(v) for one in side if (v := measure.of(one)) is not None] for side in sides]
    strata, far = _strata(records, measure)
    rest = [[one for one in side if one not in far] for side in sides]
    without = _percent(*(_mean(side, measure) for side in rest)) if far else None
    ci95 = change_interval(strata)
    return MeasuredChange(
        metric=measure.title,
        control=rounded(means[0]),
        mcp=rounded(means[1]),
        change_percent=rounded(_percent(*means)),
        spread={
            mode: Spread(
                n=len(values),
                median=median(values) / measure.divisor if values else None,
                sd=stdev(values) / measure.divisor if len(values) > 1 else None,
            )
            for mode, values in zip(MODES, known, strict=True)
        },
        change_ci95=ci95 and (100 * ci95[0], 100 * ci95[1]),
        p_value=rank_test(strata),
        outliers=[one.run for one in far],
        without_outliers_percent=rounded(without),
    )


def _mean(side: Sequence[TaskRecord], measure: Measure) -> float | None:
    """Return the mean over all rows; rows without a number count as 0.

    It adds one value to the next like the publishers, because newer versions of `sum` round less.
    """
    if not side:
        return None
    return float(reduce(add, (measure.of(one) or 0 for one in side)) / len(side) / measure.divisor)


def _percent(control: float | None, mcp: float | None) -> float | None:
    if control is None or mcp is None or not control:
        return None
    return (mcp - control) / control * 100


def _strata(
    records: Sequence[TaskRecord], measure: Measure
) -> tuple[list[tuple[list[float], list[float]]], list[TaskRecord]]:
    """Return the values of both modes for each task and model, and the outliers among the runs."""
    cells: defaultdict[tuple[int, str], dict[str, list[TaskRecord]]] = defaultdict(
        lambda: {mode: [] for mode in MODES}
    )
    for one in records:
        if measure.of(one) is not None:
            cells[one.task_id, one.model or ""][one.mode].append(one)
    strata, far = [], []
    for modes in cells.values():
        pair = [[float(measure.of(one) or 0) for one in modes[mode]] for mode in MODES]
        strata.append((pair[0], pair[1]))
        for mode, values in zip(MODES, pair, strict=True):
            if not measure.binary:
                far += [modes[mode][index] for index in outliers(values)]
    return strata, far


def _lacking(records: Sequence[TaskRecord]) -> list[str]:
    """Say in how many rows a number is missing, because a mean over all rows counts it as 0."""
    lacking = {each.title: sum(each.of(one) is None for one in records) for each in MEASURES}
    return [
        f"{title}: {n} of {len(records)} rows have no value; the means count them as 0"
        for title, n in lacking.items()
        if n
    ]


def _sentence(overall: RunGroup, tasks: Sequence[RunGroup]) -> str:
    """Say what the tests have shown, overall and by task."""
    if not all(overall.rows.values()):
        return "Nothing to compare: there must be runs of both modes."
    differing = [one.metric for one in overall.metrics if one.differs]
    verb = "differs" if len(differing) == 1 else "differ"
    said = f"Overall, {_and(differing)} {verb}" if differing else "No evidence overall"
    shown = [
        f"{task.title.lower()} ({_and(names)})"
        for task in tasks
        if (names := [one.metric for one in task.metrics if one.differs])
    ]
    if len(tasks) > 1:
        verb = "differs" if len(shown) == 1 else "differ"
        said += f"; only {_and(shown)} {verb}" if shown else "; no single task differs"
    for one in overall.metrics:
        if one.differs or one.change_percent is None or one.without_outliers_percent is None:
            continue
        if abs(one.without_outliers_percent - one.change_percent) > abs(one.change_percent) / 2:
            said += (
                f". The mean of {one.metric} depends on {_and(one.outliers)}: the change is "
                f"{one.change_percent:+.2f} %, and {one.without_outliers_percent:+.2f} % without"
            )
    return f"{said}."


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))

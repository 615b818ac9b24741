"""The records of comparisons: of two arms in a run, of two runs, of layers, and of rounds."""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from pydantic import Field

from mcp_perf.results.document.part import DocumentPart, VerdictName

CONTROL: Final = "control"
"""The arm that does the work without what is tested; it also shows what the machine does."""


def control_of(arm: str, arms: Iterable[str]) -> str:
    """Return the control of an arm; empty if there is none.

    It is the control with the arm's ending, such as `control-8ms` for `dual-8ms`, or `control`.
    """
    known = set(arms)
    _, dash, ending = arm.partition("-")
    found = (name for name in (f"{CONTROL}{dash}{ending}", CONTROL) if name in known)
    return next((name for name in found if name != arm), "") if arm != CONTROL else ""


class Comparison(DocumentPart):
    """An arm against another, paired on rounds."""

    metric: str
    arm: str
    versus: str
    ratio: float | None
    ci95: tuple[float, float] | None
    """Widened by as much as the p-value was multiplied: it leaves out 1 if p is below 0.05."""
    p_value: float | None
    """After Holm's correction over all comparisons of the run."""
    effect_needed: float | None
    """The smallest ratio above 1 that this run could have told from 1 if it had asked only that."""
    warnings: list[str] = Field(default_factory=list)


class Regression(DocumentPart):
    """A metric of this run against the same of a baseline (or of another run)."""

    metric: str
    arm: str
    versus: str
    """The arm that both were divided by, round by round, before they were compared; or empty."""
    unit: str
    base: float | None
    """The measured value over all rounds; for a baseline, the mean over its runs."""
    new: float | None
    ratio: float | None
    """New divided by base, for the metric or for its ratio to `versus`."""
    ci95: tuple[float, float] | None
    """Of the ratio; for `error_rate`, of the difference."""
    p_value: float | None
    """For this metric alone: below 0.05 if the interval leaves out 1."""
    effect_needed: float | None
    """The smallest ratio above 1 that could have been distinguished from 1."""
    verdict: VerdictName | None
    """Null if the metric is shown, but not judged."""
    reason: str = ""
    warnings: list[str] = Field(default_factory=list)


class Layer(DocumentPart):
    """What one layer adds to the time of a journey: its arm's time less that of the arm below."""

    from_: str = Field(validation_alias="from", serialization_alias="from")
    """The arm below."""
    to: str
    from_ms: float | None
    """Median time of a journey through the arm below, mean over the rounds."""
    to_ms: float | None
    cost_ms: float | None
    """The mean of the rounds' differences; negative if the layer is faster."""
    ci95: tuple[float, float] | None
    warnings: list[str] = Field(default_factory=list)


Steady = Literal["journey_p50", "throughput"]
STEADY: Final[tuple[Steady, ...]] = get_args(Steady)
"""Metrics that stay the same while the load does."""


class Drift(DocumentPart):
    """How one metric of an arm changed over the rounds."""

    metric: Steady
    change: float
    """A fraction: from the first round to the last, or after a step."""
    ci95: tuple[float, float]
    after_round: int | None = None
    """The last round before a step; null for a line. A step is given only if it is shown."""
    rounds: int
    """In how many it was seen."""

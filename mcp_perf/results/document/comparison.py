"""The records of comparisons: of two arms in a run, of two runs, of layers, and of rounds."""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from pydantic import Field

from mcp_perf.results.document.part import DocumentPart, VerdictName

CONTROL: Final = "control"
"""The arm that stands for the work without what is tried, and for the machine."""


def control_of(arm: str, arms: Iterable[str]) -> str:
    """Return the control of an arm; empty if there is none.

    It is the control that has the arm's ending, such as `control-8ms` of `dual-8ms`, or `control`.
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
    """Widened by as much as the p-value was multiplied: it leaves out 1 where p is below 0.05."""
    p_value: float | None
    """After Holm's correction over all comparisons of the run."""
    effect_needed: float | None
    """The smallest ratio above 1 that this run could have told from 1, as a question by itself."""
    warnings: list[str] = Field(default_factory=list)


class Regression(DocumentPart):
    """A metric of this run against the same of a baseline (or of another run)."""

    metric: str
    arm: str
    versus: str
    """The arm that both were divided by, round by round, before they were compared; or empty."""
    unit: str
    base: float | None
    """Over all rounds, as it was measured; the mean over the runs of a baseline."""
    new: float | None
    ratio: float | None
    """New by base, of the metric or of its ratio to `versus`."""
    ci95: tuple[float, float] | None
    """Of the ratio; for `error_rate`, of the difference."""
    p_value: float | None
    """Of this metric by itself: below 0.05 where the interval leaves out 1."""
    effect_needed: float | None
    """The smallest ratio above 1 that could have been told from 1."""
    verdict: VerdictName | None
    """Null where the metric is shown, but not judged."""
    reason: str = ""
    warnings: list[str] = Field(default_factory=list)


class Layer(DocumentPart):
    """What one layer adds to the time of a journey: the next arm's, less that of the one below."""

    from_: str = Field(validation_alias="from", serialization_alias="from")
    """The arm below."""
    to: str
    from_ms: float | None
    """Median time of a journey through the arm below, mean over the rounds."""
    to_ms: float | None
    cost_ms: float | None
    """The mean of the rounds' differences; negative where the layer is faster."""
    ci95: tuple[float, float] | None
    warnings: list[str] = Field(default_factory=list)


Steady = Literal["journey_p50", "throughput"]
STEADY: Final[tuple[Steady, ...]] = get_args(Steady)
"""What does not change by itself under a load that does not."""


class Drift(DocumentPart):
    """How one metric of an arm changed over the rounds."""

    metric: Steady
    change: float
    """A fraction: from the first round to the last, or after a step."""
    ci95: tuple[float, float]
    after_round: int | None = None
    """The last round before a step; null for a line. A step is here only where it is shown."""
    rounds: int
    """How many it was seen in."""

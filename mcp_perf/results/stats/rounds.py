"""Statistics on rounds: how sure a ratio is, and what this run could have seen at all.

The unit is the round, never the call: calls of one round share its noise, and a test on pooled
calls calls one in four identical pairs different. Arms alternate, so the i-th round of one arm is
compared with the i-th round of the other: slow drift of the machine cancels. Data that is too thin
or broken yields no interval and a warning that says why.
"""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from statistics import fmean, stdev
from typing import Any, Final

from mcp_perf.results.document.comparison import Comparison

ALPHA: Final = 0.05
POWER: Final = 0.8
FEWEST_PAIRS: Final = 6
"""With five pairs even five equal signs have p = 2 / 2**5 = 0.06: nothing can be significant."""
FEWEST_ROUNDS: Final = 3
"""Below this, the rounds of one arm say nothing useful about their own spread."""
EXACT: Final = frozenset(("bytes_per_journey",))
"""What the messages alone decide: where it has no noise, its ratio is certain."""
NO_NOISE: Final = (
    "without any noise there is nothing to judge certainty by. Check that the arms do real work."
)
_EXACT_PAIRS: Final = 14
_FLIPS: Final = 10_000
_CHUNK: Final = 8
SAME: Final = 1e-9
"""Relative to what is compared: below this, numbers are equal."""
_MOST_TIMES: Final = 100

RoundValues = Sequence[float | None]


def compare(
    metric: str, arm: str, versus: str, values: RoundValues, base: RoundValues
) -> Comparison:
    """Compare two arms by the ratio of one metric, paired by round.

    `values` and `base` hold one number per round of `arm` and of `versus`, in the same order. The
    ratio is the geometric mean of the rounds' ratios; its 95 % interval is Student's t on their
    logarithms; p is that of the sign-flip permutation test, before Holm's correction. With fewer
    than `FEWEST_PAIRS` pairs there is only the ratio, from broken data nothing but the warning.
    """
    result = Comparison(
        metric=metric,
        arm=arm,
        versus=versus,
        ratio=None,
        ci95=None,
        p_value=None,
        effect_needed=None,
    )
    broken = _broken((arm, values), (versus, base), metric)
    if broken is not None:
        return result.model_copy(update={"warnings": [broken]})
    logs = [math.log(a / b) for a, b in zip(values, base, strict=True) if a and b]
    mean = fmean(logs)
    result = result.model_copy(update={"ratio": math.exp(mean)})
    if metric in EXACT and len(logs) >= FEWEST_PAIRS and same(logs):
        return result.model_copy(update={"ci95": (math.exp(mean), math.exp(mean))})
    thin = _thin(logs)
    if thin is not None:
        return result.model_copy(update={"warnings": [thin]})
    half = half_width(logs)
    return result.model_copy(
        update={
            "ci95": (math.exp(mean - half), math.exp(mean + half)),
            "p_value": sign_flip_p(logs),
            "effect_needed": effect_needed(logs),
        }
    )


def holm(comparisons: Sequence[Comparison], pairs: Sequence[int]) -> list[Comparison]:
    """Correct the p-values of one family; those without one do not count.

    The smallest of m is multiplied by m, the next by m - 1, and none ends below the one before
    (Holm, "A simple sequentially rejective multiple test procedure", 1979). `pairs` tells how many
    pairs each comparison has: too few for a family of this size is a warning.
    """
    corrected = step_down([comparison.p_value for comparison in comparisons])
    family = sum(p is not None for p in corrected)
    needed = pairs_needed(family) if family else 0
    found = []
    for comparison, p, n in zip(comparisons, corrected, pairs, strict=True):
        warnings = list(comparison.warnings)
        if p is not None and n < needed:
            warnings.append(
                f"{n} rounds of each arm are too few for p-values of {family} "
                f"comparisons together: {needed} are needed. The interval stands for itself."
            )
        found.append(comparison.model_copy(update={"p_value": p, "warnings": warnings}))
    return found


def step_down(p_values: RoundValues) -> list[float | None]:
    """Return the p-values of one family, corrected after Holm, in the order given."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected = list(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        corrected[index] = largest = max(largest, min(1.0, (len(known) - rank) * p))
    return corrected


def pairs_needed(family: int) -> int:
    """Return how many pairs a family of so many comparisons needs to show anything at all.

    The smallest p of n pairs is 2 / 2**n, and Holm multiplies the smallest by the family's size.
    """
    return math.ceil(math.log2(2 * family / ALPHA))


def half_width(numbers: Sequence[float]) -> float:
    """Return half the 95 % interval of a mean: Student's t. Needs two numbers."""
    return student_t(len(numbers) - 1) * stdev(numbers) / math.sqrt(len(numbers))


def student_t(df: float) -> float:
    """Return the factor of a 95 % interval: Student's t at 97.5 %."""
    return _t(1 - ALPHA / 2, df)


def effect_needed(logs: Sequence[float]) -> float:
    """Return the smallest ratio above 1 whose interval leaves out 1 in 80 % of such runs.

    exp((t(0.975) + t(0.8)) * standard error): the usual formula of the paired t-test's power.
    """
    df = len(logs) - 1
    error = stdev(logs) / math.sqrt(len(logs))
    return math.exp(change_needed(error, df))


def change_needed(error: float, df: float) -> float:
    """Return the smallest change that 80 % of intervals with this standard error tell from 0."""
    return (student_t(df) + _t(POWER, df)) * error


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Return the two-sided p of the paired sign-flip permutation test.

    Were both arms the same, each difference could as well have had the other sign: p is the share
    of all such assignments whose sum is at least as far from zero. Exact up to 14 pairs, then from
    10 000 seeded draws (Fisher, "The Design of Experiments", 1935, section 21).
    """
    far = abs(sum(differences)) * (1 - SAME)
    if len(differences) <= _EXACT_PAIRS:
        sums = _signed_sums(differences)
        return sum(abs(total) >= far for total in sums) / len(sums)
    chunks = [
        _signed_sums(differences[start : start + _CHUNK])
        for start in range(0, len(differences), _CHUNK)
    ]
    choose = random.Random(seed).choice
    hits = sum(abs(sum(map(choose, chunks))) >= far for _ in range(_FLIPS))
    return (hits + 1) / (_FLIPS + 1)


def around(pooled: float, rounds: RoundValues) -> tuple[float, float] | None:
    """Return the 95 % interval of a value over all rounds, from how much the rounds differ.

    Student's t on the logarithms of the rounds' values, laid around the pooled one; on the values
    themselves when some are zero. None with fewer than `FEWEST_ROUNDS`, or one without a value.
    """
    values = [value for value in rounds if value is not None]
    if len(values) < max(FEWEST_ROUNDS, len(rounds)):
        return None
    if pooled > 0 and min(values) > 0:
        factor = math.exp(half_width([math.log(value) for value in values]))
        return pooled / factor, pooled * factor
    half = half_width(values)
    return pooled - half, pooled + half


def proportion(count: float, total: float) -> tuple[float, float]:
    """Return the 95 % interval of a proportion: Clopper and Pearson, 1934, exact.

    Where nothing (or everything) was counted, there is only one side to be wrong on, and it gets
    the whole 5 %: none of 500 shows less than 0.6 %.
    """
    if count == 0:
        return 0.0, 1 - ALPHA ** (1 / total)
    if count == total:
        return ALPHA ** (1 / total), 1.0
    low = special().betaincinv(count, total - count + 1, ALPHA / 2)
    high = special().betaincinv(count + 1, total - count, 1 - ALPHA / 2)
    return float(low), float(high)


def percentile_ranks(fraction: float, total: int) -> tuple[int, int]:
    """Return the ranks, from 1, of the samples that enclose a percentile with 95 %.

    Free of any distribution: how many samples lie below is binomial. 0 or `total` + 1 mean that no
    sample is far enough out (Conover, "Practical Nonparametric Statistics", section 3.2).
    """

    def at_most(below: int) -> float:
        return float(special().bdtr(below, total, fraction))

    low = bisect_right(range(total), ALPHA / 2, key=at_most)
    high = bisect_left(range(total), 1 - ALPHA / 2, key=at_most) + 1
    return low, high


def more_needed(n: int, interval: tuple[float, float], value: float, bound: float) -> int | None:
    """Estimate how many rounds (or calls) instead of n would leave the bound outside.

    An interval shrinks with the square root of their number. None when the value is so close to
    the bound that a hundred times as many would not do.
    """
    width = interval[1] - value if bound > value else value - interval[0]
    distance = abs(bound - value)
    if distance == 0 or (width / distance) ** 2 > _MOST_TIMES:
        return None
    return max(n + 1, math.ceil(n * (width / distance) ** 2))


def _broken(
    one: tuple[str, RoundValues], other: tuple[str, RoundValues], metric: str
) -> str | None:
    if len(one[1]) != len(other[1]):
        return (
            f"{one[0]} has {len(one[1])} rounds and {other[0]} {len(other[1])}: without partners "
            "rounds cannot be compared. Run both arms for the same number of rounds."
        )
    if not one[1]:
        return f"{one[0]} and {other[0]} have no finished round in common: nothing to compare."
    for arm, values in (one, other):
        unknown = sum(value is None or not math.isfinite(value) for value in values)
        if unknown:
            return f"{arm} has no {metric} in {unknown} of {len(values)} rounds: no ratio."
    if not any(one[1]) and not any(other[1]):
        return f"{metric} is zero in every round of both arms: there is no ratio of two zeros."
    for arm, values in (one, other):
        zeros = sum(not value for value in values)
        if zeros:
            return f"{metric} of {arm} is zero in {zeros} of {len(values)} rounds: no ratio."
    return None


def _thin(logs: Sequence[float]) -> str | None:
    if len(logs) < FEWEST_PAIRS:
        return (
            f"{_rounds(len(logs))} of each arm cannot show a difference, however large: at least "
            f"{FEWEST_PAIRS} are needed."
        )
    if same(logs):
        return f"Every round gave the same ratio: {NO_NOISE}"
    return None


def same(logs: Sequence[float]) -> bool:
    """Tell whether the numbers are so equal that they have no noise."""
    return max(logs) - min(logs) <= SAME


def _rounds(number: int) -> str:
    return "1 round" if number == 1 else f"{number} rounds"


def _signed_sums(numbers: Sequence[float]) -> list[float]:
    sums = [0.0]
    for number in numbers:
        sums = [total + number for total in sums] + [total - number for total in sums]
    return sums


@cache
def _t(probability: float, df: float) -> float:
    return float(special().stdtrit(df, probability))


def special() -> Any:
    """Return SciPy's special functions, loaded where they are first needed."""
    import scipy.special  # noqa: PLC0415 - half a second that a report without rounds need not pay

    return scipy.special

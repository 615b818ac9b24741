"""Promises 10 to 12 and 14: the claims of the statistics hold in simulated runs.

Simulated runs use the code of real ones: turns in the order of `plan`, a value per round, and
`compare`, `holm` and `judge`; some of them as whole journals. Everything is seeded, so the figures
are always the same. They are in docs/explanation/measurement.md: MCP_PERF_UPDATE_DOCS=1 writes the
table again.
"""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from math import exp, log
from statistics import fmean, median

import pytest

from mcp_perf.load.plan.schedule import Level, plan
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.histogram import Histogram
from mcp_perf.results.report.build import build
from mcp_perf.results.stats.mean import Mean
from mcp_perf.results.stats.rounds import FEWEST_ROUNDS, around, compare, proportion
from mcp_perf.results.stats.runs import between_rounds
from tests.support import ROOT
from tests.support import virtual_run as virtual

pytestmark = pytest.mark.simulated
PAGE = ROOT / "docs" / "explanation" / "measurement.md"
BEGIN, END = "<!-- simulation: begin -->\n", "<!-- simulation: end -->\n"
UPDATE = "MCP_PERF_UPDATE_DOCS"

TRIALS, RUNS, MANY = 2000, 200, 2000
"""How many runs of values, of whole journals, and for close bounds are simulated."""
BEFORE = 20
"""Rounds before the first one, which make it resemble others, too."""
ROUNDS = 10
GATE = "mcp.journey_p50 <= 1x control"
NOISE = 0.02
"""The noise between rounds."""
Noise = Callable[[random.Random], float]
"""Gives the logarithm of a factor."""


def normal(rng: random.Random) -> float:
    """Give the usual noise: the factor is normal."""
    return log(1 + rng.gauss(0, NOISE))


def log_normal(rng: random.Random) -> float:
    """Give five times the usual noise, with a normal logarithm."""
    return rng.gauss(0, 5 * NOISE)


def two_humped(rng: random.Random) -> float:
    """Give noise with two modes, as from a machine with two clock speeds."""
    return rng.gauss(-NOISE if rng.random() < 0.5 else NOISE, 0.005)


def rarely_slow(rng: random.Random) -> float:
    """Give little noise, but make one round in ten slower by a tenth."""
    return rng.gauss(0, 0.005) + (0.1 if rng.random() < 0.1 else 0)


NOISES = {"normal": normal, "log-normal": log_normal, "two-humped": two_humped}


def rounds_of(
    rng: random.Random,
    rounds: int = ROUNDS,
    *,
    effect: float = 1,
    drift: float = 0,
    noise: Noise = normal,
    interleaved: bool = True,
) -> tuple[list[float], list[float]]:
    """Simulate a value per round of mcp and of control, on a machine with this drift."""
    turns = list(plan(["control", "mcp"], [Level(1)] * rounds, 1.0, 0.0))
    if not interleaved:
        turns.sort(key=lambda turn: turn.arm)
    values: dict[str, list[float]] = {"control": [], "mcp": []}
    for place, turn in enumerate(turns):
        truth = (effect if turn.arm == "mcp" else 1) * (1 + drift * place / len(turns))
        values[turn.arm].append(100 * truth * exp(noise(rng)))
    return values["mcp"], values["control"]


def compared(rng: random.Random, rounds: int = ROUNDS, **how) -> Comparison:
    """Compare the arms of a simulated run."""
    return compare("mean", "mcp", "control", *rounds_of(rng, rounds, **how))


def share(seed: int, trials: int, claim: Callable[[random.Random], bool]) -> float:
    """Return the share of trials that make the claim."""
    rng = random.Random(seed)
    return sum(claim(rng) for _ in range(trials)) / trials


def differs(rng: random.Random, rounds: int = ROUNDS, **how) -> bool:
    """Return whether a run calls its arms different."""
    return compared(rng, rounds, **how).p_value < 0.05


def shown(rng: random.Random, effect: float) -> bool:
    """Return whether the interval excludes 1."""
    return compared(rng, effect=effect).ci95[0] > 1


def covered(rng: random.Random, noise: Noise) -> bool:
    """Return whether the interval of a ratio contains the true one."""
    low, high = compared(rng, effect=2, noise=noise).ci95
    return low <= 2 <= high


def covered_alone(rng: random.Random, noise: Noise, truth: float, rounds: int = ROUNDS) -> bool:
    """Return whether the interval of one arm's value contains the true mean."""
    _, values = rounds_of(rng, rounds, noise=noise)
    low, high = around(fmean(values), values)
    return low <= truth <= high


def alike(rng: random.Random, rounds: int, r: float, noise: Noise = normal) -> list[float]:
    """Give logarithms of rounds with the autocorrelation r."""
    found, last = [], 0.0
    for number in range(rounds + BEFORE):
        last = r * last + noise(rng)
        if number >= BEFORE:
            found.append(last)
    return found


def alike_covered(rng: random.Random, noise: Noise, rounds: int, r: float = 0.5) -> bool:
    """Return whether the interval of a mean of such rounds contains the true one."""
    mean = Mean(alike(rng, rounds, r, noise))
    return mean.doubt(abs(mean.value - expected(noise) / (1 - r))) >= 0.05


def arms_differ(rng: random.Random, rounds: int, r: float) -> bool:
    """Return whether two equal arms of one run with such rounds are called different."""
    mean = Mean([a - b for a, b in zip(*(alike(rng, rounds, r) for _ in "ab"), strict=True)])
    return mean.doubt(abs(mean.value)) < 0.05


def runs_differ(rng: random.Random, of_base: int, of_new: int) -> bool:
    """Return whether two equal runs with rounds of r = 0.5 are called different."""
    return between_rounds(alike(rng, of_base, 0.5), alike(rng, of_new, 0.5)).p < 0.05


@cache
def expected(noise: Noise) -> float:
    """Return the true mean of this noise's logarithms, from a very large sample."""
    rng = random.Random(0)
    return fmean(noise(rng) for _ in range(200_000))


def mean_of(noise: Noise) -> float:
    """Return the true mean of rounds with this noise, from a very large sample."""
    rng = random.Random(0)
    return 100 * fmean(exp(noise(rng)) for _ in range(200_000))


def p99_of_a_round(rng: random.Random, median_ms: float) -> float:
    """Measure the p99 of 300 calls, which share the noise of their round."""
    histogram = Histogram()
    place_ns = median_ms * 1e6 * exp(normal(rng))
    for _ in range(300):
        histogram.record(int(place_ns * rng.lognormvariate(0, 0.4)))
    return histogram.percentile(0.99)


def p99_covered(rng: random.Random) -> bool:
    """Return whether the interval of a ratio of p99s contains the true one."""
    values, base = ([p99_of_a_round(rng, ms) for _ in range(ROUNDS)] for ms in (10.5, 10))
    low, high = compare("p99", "mcp", "control", values, base).ci95
    return low <= 1.05 <= high


def failures_covered(rng: random.Random) -> bool:
    """Return whether the interval of an error rate contains the true one, 1 % of 1000 calls."""
    failed = sum(rng.random() < 0.01 for _ in range(1000))
    low, high = proportion(failed, 1000)
    return low <= 0.01 <= high


def whole_runs(seed: int, rounds: int = ROUNDS, **how) -> list[Report]:
    """Make the reports of whole journals, with all their metrics and a gate."""
    rng, found = random.Random(seed), []
    for _ in range(RUNS):
        values, base = rounds_of(rng, rounds, **how)
        arms = {
            arm: [virtual.Round(ms=ms, ok=20, busy_s=20 * ms / 1000) for ms in times]
            for arm, times in (("control", base), ("mcp", values))
        }
        found.append(build(virtual.journal(arms, gates=[GATE])))
    return found


def any_difference(report: Report) -> bool:
    """Return whether a report calls its arms different in any of its metrics."""
    return any(one.p_value is not None and one.p_value < 0.05 for one in report.comparisons)


def finds_slower(report: Report) -> bool:
    """Return whether a report calls an arm slower, after Holm's correction."""
    (mean,) = [one for one in report.comparisons if one.metric == "mean"]
    return mean.p_value < 0.05 and mean.ci95[0] > 1


def part(reports: list[Report], claim: Callable[[Report], bool]) -> float:
    """Return the share of reports that make the claim."""
    return sum(map(claim, reports)) / len(reports)


def fails(report: Report) -> bool:
    """Return whether the run failed its gate, which wants the arms to be equally fast."""
    return report.exit_code == 99


@dataclass(frozen=True)
class Figure:
    """A line of the table: what is simulated, what is promised, and the result."""

    promise: str
    what: str
    low: float | None
    high: float | None
    found: float

    @property
    def promised(self) -> str:
        """The bounds, in words."""
        if self.low is not None and self.high is not None:
            return f"{100 * self.low:g} to {100 * self.high:g} %"
        if self.low is not None:
            return f"≥ {100 * self.low:g} %"
        return f"≤ {100 * self.high:g} %" if self.high is not None else ""

    @property
    def kept(self) -> bool:
        """Whether the figure is within its bounds."""
        return (self.low or 0) <= self.found <= (1 if self.high is None else self.high)


def false_alarms() -> Iterator[Figure]:
    """Simulate arms that are equal."""
    what = "two equal arms are called different"
    yield Figure("10", what, None, 0.08, share(1, TRIALS, differs))
    drifting = partial(differs, drift=0.05)
    found = share(2, TRIALS, drifting)
    yield Figure("11", f"{what}, while the machine drifts by 5 %", None, 0.08, found)
    found = share(3, TRIALS, partial(drifting, interleaved=False))
    yield Figure("11", "the same, if one arm ran after the other", None, None, found)
    equal = whole_runs(4, drift=0.05)
    what = "a whole report calls equal arms different in any metric, under drift"
    yield Figure("11", what, None, 0.08, part(equal, any_difference))
    what = f"equal arms fail the gate `{GATE}`, under drift"
    yield Figure("11", what, None, 0.05, part(equal, fails))


def power() -> Iterator[Figure]:
    """Simulate an arm that is slower."""
    for seed, rounds in ((6, 6), (7, 8), (8, 10)):
        found = share(seed, TRIALS, partial(differs, rounds=rounds, effect=1.05))
        low = 0.9 if rounds == ROUNDS else None
        yield Figure("12", f"+5 % is found in {rounds} rounds", low, None, found)
    slower = whole_runs(9, effect=1.05)
    yield Figure("12", f"+5 % fails the gate `{GATE}`", 0.9, None, part(slower, fails))
    what = "+5 % is found in {} rounds, corrected for all metrics of the report"
    yield Figure("12", what.format(ROUNDS), None, None, part(slower, finds_slower))
    found = part(whole_runs(10, 20, effect=1.05), finds_slower)
    yield Figure("12", what.format(20), 0.9, None, found)
    rng = random.Random(12)
    needed = median(compared(rng).effect_needed for _ in range(RUNS))
    found = share(11, TRIALS, partial(shown, effect=needed))
    yield Figure(
        "12", "an effect as large as the usual `effect_needed` is shown", 0.75, 0.85, found
    )


def coverage() -> Iterator[Figure]:
    """Simulate a known truth, and check whether intervals contain it."""
    bounds = {"normal": (0.93, 0.97)}
    for seed, (name, noise) in enumerate(NOISES.items(), 20):
        found = share(seed, TRIALS, partial(covered, noise=noise))
        yield Figure(
            "14",
            f"the interval of a ratio holds it, {name} noise",
            *bounds.get(name, (0.93, None)),
            found,
        )
    for seed, (name, noise) in enumerate(NOISES.items(), 30):
        found = share(seed, TRIALS, partial(covered_alone, noise=noise, truth=mean_of(noise)))
        yield Figure(
            "14",
            f"the interval of one arm holds it, {name} noise",
            *bounds.get(name, (0.93, None)),
            found,
        )
    for rounds in (FEWEST_ROUNDS, ROUNDS):
        for seed, (name, noise) in enumerate(NOISES.items(), 50 + rounds):
            what = f"the interval of one arm holds it, {name} noise"
            alone = partial(alike_covered, noise=noise, rounds=rounds, r=0.0)
            if rounds != ROUNDS:
                found = share(seed, MANY, alone)
                yield Figure("14", f"{what}, {rounds} rounds", 0.93, None, found)
            found = share(seed, MANY, partial(alike_covered, noise=noise, rounds=rounds))
            what = f"{what}, {rounds} rounds that resemble each other (r = 0.5)"
            yield Figure("14", what, 0.93, None, found)
    for rounds in (10, 20, 40, 100):
        found = share(rounds, TRIALS, partial(arms_differ, rounds=rounds, r=0.8))
        what = f"two equal arms are called different, {rounds} rounds, r = 0.8"
        yield Figure("14", what, None, None, found)
    found = share(630, TRIALS, partial(runs_differ, of_base=6, of_new=30))
    what = "a run of 6 rounds is called different from an equal one of 30, r = 0.5"
    yield Figure("14", what, None, 0.08, found)
    found = share(40, RUNS, p99_covered)
    what = "the interval of a ratio of p99s holds it, 300 log-normal calls a round"
    yield Figure("14", what, 0.93, None, found)
    found = share(41, TRIALS, failures_covered)
    what = "the interval of an error rate holds it, 1 % of 1000 calls"
    yield Figure("14", what, 0.95, None, found)
    what = "one round in ten is 10 % slower: the interval of"
    found = share(42, TRIALS, partial(covered, noise=rarely_slow))
    yield Figure("14", f"{what} a ratio holds it", None, None, found)
    truth = mean_of(rarely_slow)
    for rounds in (10, 30, 100):
        alone = partial(covered_alone, noise=rarely_slow, truth=truth, rounds=rounds)
        found = share(rounds, TRIALS, alone)
        yield Figure("14", f"{what} one arm holds it, {rounds} rounds", None, None, found)


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    """Simulate everything once."""
    return [*false_alarms(), *power(), *coverage()]


def kept(figures: list[Figure], promise: str) -> None:
    """Check that all figures of a promise are within its bounds."""
    of_promise = [figure for figure in figures if figure.promise == promise]
    assert any(figure.promised for figure in of_promise)
    assert [figure for figure in of_promise if not figure.kept] == []


def test_promise_10_equal_arms_are_rarely_called_different(figures):
    """With 2 % noise, at most 8 % of runs find a difference that does not exist."""
    kept(figures, "10")


def test_promise_11_a_drifting_machine_favours_no_arm(figures):
    """With 5 % drift, false alarms stay below 8 %, because arms take turns in mirrored order."""
    kept(figures, "11")


def test_promise_12_ten_rounds_find_five_percent(figures):
    """A true +5 % is found in at least 9 of 10 runs, and the report says what it could detect."""
    kept(figures, "12")


def test_promise_14_intervals_cover_the_truth_as_often_as_they_say(figures):
    """95 % intervals contain the true value in 93 to 97 % of simulated runs."""
    kept(figures, "14")


def test_promise_14_the_page_shows_what_the_simulation_found(figures):
    """The table in docs/explanation/measurement.md equals the one computed here."""
    rows = (
        f"| {figure.what} | {figure.promised} | {100 * figure.found:.1f} % |\n"
        for figure in figures
    )
    table = f"| simulated | promised | found |\n|---|---:|---:|\n{''.join(rows)}"
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get(UPDATE):
        PAGE.write_text(before + BEGIN + table + END + after, "utf-8")
    else:
        assert shown == table, (
            f"docs/explanation/measurement.md is out of date: set {UPDATE}=1 and run again"
        )

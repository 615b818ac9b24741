"""What a search for the capacity has found: as words, and as charts over the offered rate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from mcp_perf import numbers
from mcp_perf.results.document.document import ArmNumbers, Capacity, RateLevel
from mcp_perf.results.render.charts.bounds import GateBound, Limit, across, on
from mcp_perf.results.render.charts.charts import Dot, Shade, chart, line, looks
from mcp_perf.results.render.charts.scales import Scale, logarithmic, of_values
from mcp_perf.results.render.words import wording

Read = Callable[[RateLevel], float | None]
_TIMES: Final = {"line thin p50": "p50", "line p95": "p95", "line thin dashed-tail p99": "p99"}
"""The look of a line, and the time that it shows."""
_MOST_TICKS: Final = 10
_NARROWEST: Final = 0.006
"""The smallest width of a band that can be seen, as a fraction of the plot."""


class Found(NamedTuple):
    """One arm's line: the rate it holds, its interval, and what broke beyond."""

    arm: str
    rate: str
    interval: str
    beyond: str


def found(arms: Mapping[str, ArmNumbers]) -> list[Found]:
    """List what was found for each arm; nothing if the load was not a search."""
    return [
        Found(name, numbers.rate(what.rate_per_s), _interval(what), beyond(what))
        for name, what in of_arms(arms).items()
    ]


def of_arms(arms: Mapping[str, ArmNumbers]) -> dict[str, Capacity]:
    """Return the capacities of the arms whose capacity was searched for."""
    return {name: arm.capacity for name, arm in arms.items() if arm.capacity is not None}


def beyond(capacity: Capacity) -> str:
    """Say what broke beyond the rate that held, or why that is not known."""
    if capacity.outcome == "knee":
        return ", ".join(capacity.broke_by)
    why = f": {', '.join(capacity.broke_by)}" if capacity.outcome == "lowest" else ""
    return f"{wording.TEXTS['searches'][capacity.outcome]}{why}"


def _interval(capacity: Capacity) -> str:
    low, high = capacity.interval
    if low is not None and high is not None:
        return f"{numbers.rate(low)} to {numbers.rate(high)}"
    if low is not None:
        return f"at least {numbers.rate(low)}"
    return numbers.NONE if high is None else f"less than {numbers.rate(high)}"


def trials(level: RateLevel) -> str:
    """Say how the trials of a rate ended: `2 of 3` held."""
    return f"{level.held} of {level.repeats}"


def broke(level: RateLevel) -> str:
    """Say what broke at a rate, and what else kept it from being held."""
    others = {
        "the load generator was late": level.by_generator,
        "max_in_flight was reached": level.own_limit,
        "the target was slower than usual before": level.unsettled,
    }
    return ", ".join([*level.broke_by, *(what for what, times in others.items() if times)])


def contradictions(capacity: Capacity) -> list[str]:
    """Say which rates both held and broke, and which broke although a higher one never did."""
    sure = [level.rate_per_s for level in capacity.levels if level.held == level.repeats]
    highest = max(sure, default=0.0)
    though = f", although {numbers.rate(highest)} held every time"
    return [
        f"{numbers.rate(level.rate_per_s)} held in {trials(level)} trials"
        + (though if level.rate_per_s < highest else "")
        for level in capacity.levels
        if level.held < level.repeats and (level.held or level.rate_per_s < highest)
    ]


def latency(arms: Mapping[str, ArmNumbers], gates: Iterable[GateBound] = ()) -> str:
    """Draw p50, p95 and p99 over the offered rate; an empty string without a search."""
    levels = [level for what in of_arms(arms).values() for level in what.levels]
    reads = {css: attrgetter(f"latency_ms.{name}") for css, name in _TIMES.items()}
    every = [read(level) for level in levels for read in reads.values()]
    times = [time for time in every if time is not None]
    known = on(gates, "p50", "p95", "p99")
    y = of_values([*times, *(bound.value for bound in known)]).in_unit(f"{numbers.THIN}ms")
    title = "Latency over the offered rate"
    limits = [*across(known, y), *_asked(arms, gates)]
    return _over_rate("capacity-latency", title, "Milliseconds", arms, reads, y, limits)


def achieved(arms: Mapping[str, ArmNumbers], gates: Iterable[GateBound] = ()) -> str:
    """Draw the rate done over the rate offered; an empty string without a search."""
    reads: Mapping[str, Read] = {"line": lambda level: level.achieved_per_s}
    title = "Rate done over the offered rate"
    shown, limits = "Journeys done per second", _asked(arms, gates)
    return _over_rate("capacity-achieved", title, shown, arms, reads, limits=limits)


def search(arms: Mapping[str, ArmNumbers]) -> str:
    """Draw the trials of each arm in their order, by their rates; nothing without a search."""
    every = of_arms(arms)
    y = _axis(every)
    if y is None:
        return ""
    most = max(1, *(len(what.trials) for what in every.values()))
    every_nth = -(-most // _MOST_TICKS)
    ticks = (((i - 0.5) / most, str(i)) for i in range(1, most + 1, every_nth))
    x = Scale(lambda number: (number - 0.5) / most, tuple(ticks))
    lines, dots = [], []
    for name, what in every.items():
        look = looks(arms)[name].css
        at = [(x.at(i), y.at(trial.rate_per_s)) for i, trial in enumerate(what.trials, 1)]
        lines += line(f"line thin {look}", at)
        dots += [
            Dot(*position, f"{'held' if trial.held else 'broke'} {look}")
            for position, trial in zip(at, what.trials, strict=True)
        ]
    readings = [(x.at(i), _of_trial(every, i)) for i in range(1, most + 1)]
    title, about = "Every trial of the search", f"Offered rate by trial, for {', '.join(every)}."
    return chart("capacity-search", title, about, (x, y), lines, readings, dots=dots)


def _of_trial(every: Mapping[str, Capacity], number: int) -> str:
    lines = [f"trial {number}"]
    for name, what in every.items():
        for trial in what.trials[number - 1 : number]:
            how = "held" if trial.held else f"broke: {', '.join(trial.broke_by)}".rstrip(": ")
            lines.append(f"{name}: {numbers.rate(trial.rate_per_s)} {how}")
    return "\n".join(lines)


def _axis(every: Mapping[str, Capacity]) -> Scale | None:
    """Return a logarithmic axis: rates were doubled, and ratios enclose the knee."""
    rates = [level.rate_per_s for what in every.values() for level in what.levels]
    return logarithmic(min(rates) / 1.1, max(rates) * 1.1).in_unit("/s") if rates else None


def _asked(arms: Mapping[str, ArmNumbers], gates: Iterable[GateBound]) -> list[Limit]:
    """Draw the capacities that gates ask for as uprights, each with its text at another height."""
    x = _axis(of_arms(arms))
    if x is None:
        return []
    return [
        Limit(bound.text, (x.at(bound.value), 0.0), (x.at(bound.value), 1 - 0.12 * i))
        for i, bound in enumerate(on(gates, "capacity"))
    ]


def _over_rate(
    chart_name: str,
    title: str,
    drawn: str,
    arms: Mapping[str, ArmNumbers],
    reads: Mapping[str, Read],
    y: Scale | None = None,
    limits: Sequence[Limit] = (),
) -> str:
    """Draw numbers of all levels; without `y`, draw rates next to a line where both are equal."""
    every = of_arms(arms)
    rates = sorted({level.rate_per_s for what in every.values() for level in what.levels})
    x = _axis(every)
    if x is None:
        return ""
    lines = [] if y else line("line thin arm-none", [(x.at(rate), x.at(rate)) for rate in rates])
    y = y or x
    for name, what in every.items():
        for css, read in reads.items():
            known = [(one.rate_per_s, got) for one in what.levels if (got := read(one)) is not None]
            positions = [(x.at(rate), y.at(value)) for rate, value in known]
            lines += line(f"{css} {looks(arms)[name].css}", positions)
    description = f"{drawn} over journeys begun per second, for {', '.join(every)}."
    readings = [(x.at(rate), _reading(every, rate)) for rate in rates]
    shades = _knees(every, x)
    return chart(
        chart_name, title, description, (x, y), lines, readings, shades=shades, limits=limits
    )


def _knees(every: Mapping[str, Capacity], x: Scale) -> list[Shade]:
    """Shade each arm's interval, at least as wide as can be seen."""
    shades = []
    for name, what in every.items():
        low, high = what.interval
        if low is not None and high is not None:
            left, right = x.at(low), x.at(high)
            spare = max(0.0, _NARROWEST - (right - left)) / 2
            css, title = f"knee {looks(every)[name].css}", f"{name}: capacity {_interval(what)}"
            shades.append(Shade(left - spare, right + spare, css, title))
    return shades


def _reading(every: Mapping[str, Capacity], rate: float) -> str:
    lines = [f"{numbers.rate(rate)} offered"]
    for name, what in every.items():
        for level in what.levels:
            if level.rate_per_s == rate:
                of = level.latency_ms
                times = ", ".join(f"{p} {numbers.ms(getattr(of, p))}" for p in _TIMES.values())
                done = f"{numbers.rate(level.achieved_per_s)} done, {times}"
                lines.append(f"{name}: {done}; held {trials(level)}")
    return "\n".join(lines)

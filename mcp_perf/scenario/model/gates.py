"""The grammar of gates: one line that must hold for a run to pass. Parsing only.

    gate       = arm "." metric operator (value unit | factor "x" arm)
    operator   = "<" | "<=" | ">" | ">="
    value      = digits ["." digits]

Everything about the notation stands in the tables below; what a metric means is for `reports`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote

Kind = Literal[
    "time", "fraction", "rate", "count", "share", "work", "bytes", "growth", "kib", "drift"
]
Needs = Literal["calls", "journeys", "planned", "resources", "sessions"]


class GateError(InputError):
    """A gate that cannot be read, or that says nothing: `message`, `hint`."""


@dataclass(frozen=True)
class Metric:
    """What kind of number a metric is, and what must have been counted for it to exist."""

    kind: Kind
    needs: Needs


@dataclass(frozen=True)
class Gate:
    """A gate as written, and its parts. Either `value` or both `factor` and `versus` are set."""

    text: str
    arm: str
    metric: str
    op: str
    value: float | None
    """In `unit`: a fraction of 1 where the gate was written in percent."""
    unit: str
    """Of the metric, as in the report: `ms`, `fraction`, `/s`, `count`, `B`, `KiB` or `fraction/h`.
    """
    factor: float | None
    versus: str | None

    def allows_failures(self, share: float) -> bool:
        """Tell whether it is about failures, and holds if this share of all calls fails."""
        of_all = {"error_rate": share, "rate_limited_rate": share, "success_rate": 1 - share}
        found = of_all.get(self.metric)
        if found is None or self.value is None:
            return False
        return found < self.value if self.op.startswith("<") else found > self.value


@dataclass(frozen=True)
class _Notation:
    unit: str
    scales: Mapping[str, float]
    """Unit as written -> divisor to `unit`. Divisors, so that 0.1% is exactly 0.001."""
    example: str
    least: float = 0.0
    most: float = float("inf")


_TIMES = ("mean", "p50", "p90", "p95", "p99", "p99_9", "max")

METRICS: Final[Mapping[str, Metric]] = {
    "throughput": Metric("rate", "journeys"),
    "calls_per_s": Metric("rate", "calls"),
    "capacity": Metric("rate", "planned"),
    "error_rate": Metric("fraction", "calls"),
    "rate_limited_rate": Metric("fraction", "calls"),
    "session_loss_rate": Metric("fraction", "calls"),
    "healed_rate": Metric("fraction", "calls"),
    "success_rate": Metric("fraction", "journeys"),
    "stray_rate": Metric("share", "calls"),
    **{name: Metric("time", "calls") for name in _TIMES},
    **{f"journey_{name}": Metric("time", "journeys") for name in _TIMES},
    **{f"first_event_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"gap_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"cancel_stop_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"recovery_{name}": Metric("time", "calls") for name in _TIMES},
    "drift": Metric("drift", "journeys"),
    "tools_list_tokens": Metric("count", "calls"),
    "result_tokens": Metric("count", "calls"),
    "calls": Metric("count", "calls"),
    "journeys_done": Metric("count", "journeys"),
    "dropped": Metric("count", "planned"),
    "bytes_per_journey": Metric("bytes", "journeys"),
    "cpu": Metric("share", "resources"),
    "cpu_per_journey": Metric("work", "resources"),
    "rss": Metric("bytes", "resources"),
    "rss_growth_per_hour": Metric("growth", "resources"),
    "threads": Metric("count", "resources"),
    "fds": Metric("count", "resources"),
    "sessions": Metric("count", "sessions"),
    "session_kib": Metric("kib", "sessions"),
}

_DURATIONS: Final = {"us": 1e3, "ms": 1, "s": 1e-3, "m": 1 / 60e3}
_BYTES: Final = {
    "B": 1,
    "kB": 1e-3,
    "MB": 1e-6,
    "GB": 1e-9,
    "KiB": 2**-10,
    "MiB": 2**-20,
    "GiB": 2**-30,
}

_NOTATIONS: Final[Mapping[Kind, _Notation]] = {
    "time": _Notation("ms", _DURATIONS, "200ms"),
    "fraction": _Notation("fraction", {"%": 100}, "0.1%", most=1),
    "rate": _Notation("/s", {"/s": 1, "k/s": 1e-3}, "500/s"),
    "count": _Notation("count", {"": 1, "k": 1e-3, "M": 1e-6}, "100"),
    "work": _Notation("ms", _DURATIONS, "5ms"),
    "share": _Notation("fraction", {"%": 100}, "80%"),
    "bytes": _Notation("B", _BYTES, "200MB"),
    "growth": _Notation("fraction/h", {"%": 100}, "1%", least=float("-inf")),
    "drift": _Notation("fraction", {"%": 100}, "10%"),
    "kib": _Notation("KiB", {"KiB": 1, "B": 1024, "MiB": 2**-10}, "64KiB", least=float("-inf")),
}

OPERATORS: Final = ("<", "<=", ">", ">=")

_GATE = re.compile(
    r"\s*(?P<arm>[\w-]+)\s*\.\s*(?P<metric>[\w-]+)\s*(?P<op>[^\w\s.]+)\s*(?P<right>\S.*?)\s*",
    re.ASCII | re.DOTALL,
)
_RIGHT = re.compile(
    r"(?P<number>\d{1,15}(?:\.\d{1,15})?)\s*(?:(?P<versus>x\s+[\w-]+)|(?P<unit>[^\d\s.]*))",
    re.ASCII,
)
_LONGEST = 200


def parse(text: str) -> Gate:
    """Read one gate, such as `mcp.p95 < 200ms` or `mcp.throughput >= 3x control`.

    Raises GateError with what is wrong and a hint. Whether the arms exist is for the caller.
    """
    match = _GATE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise GateError(f"{quote(text)} is not a gate", "write it like mcp.p95 < 200ms")
    arm, name, op = match["arm"], match["metric"], match["op"]
    if name not in METRICS:
        raise GateError(f"unknown metric {quote(name)} in {quote(text)}", suggest(name, METRICS))
    metric = METRICS[name]
    notation = _NOTATIONS[metric.kind]
    example = f"{arm}.{name} < {notation.example}"
    if op not in OPERATORS:
        hint = f"write {one_of(OPERATORS)}: {example}"
        raise GateError(f"unknown operator {quote(op)} in {quote(text)}", hint)
    right = _RIGHT.fullmatch(match["right"])
    if right is None:
        message = f"{quote(match['right'])} is not a value for {name} in {quote(text)}"
        raise GateError(message, f"write it like {example}, or {arm}.{name} {op} 1.5x ARM")
    number, value, factor, versus = float(right["number"]), None, None, None
    if right["versus"]:
        factor, versus = number, right["versus"][1:].strip()
        _check_factor(text, arm, factor, versus)
        if metric.kind in ("growth", "kib", "drift"):
            message = f"{quote(text)}: {name} has no ratio"
            raise GateError(message, f"write a bound for it alone: {example}")
    else:
        value = _scaled(text, number, right["unit"], notation, example)
        _check_bound(text, op, value, notation)
    return Gate(text.strip(), arm, name, op, value, notation.unit, factor, versus)


def _scaled(text: str, number: float, unit: str, notation: _Notation, example: str) -> float:
    if unit in notation.scales:
        return number / notation.scales[unit]
    units = one_of(known or "no unit" for known in notation.scales)
    what = f"unknown unit {quote(unit)}" if unit else "no unit"
    raise GateError(f"{what} in {quote(text)}", f"this metric takes {units}: {example}")


def _check_factor(text: str, arm: str, factor: float, versus: str) -> None:
    if factor == 0:
        raise GateError(f"{quote(text)} compares with 0x", "write a factor above zero, like 1.5x")
    if versus == arm:
        raise GateError(f"{quote(text)} compares {arm} with itself", "name the other arm after x")


def _check_bound(text: str, op: str, value: float, notation: _Notation) -> None:
    """Refuse what always holds and what never can: such a gate judges nothing."""
    if value > notation.most:
        raise GateError(f"{quote(text)}: a rate is at most 100%", "write a bound from 0% to 100%")
    if (op, value) in {("<", notation.least), (">", notation.most)}:
        raise GateError(f"{quote(text)} can never hold", f"write {op}= for the extreme itself")
    if (op, value) in {(">=", notation.least), ("<=", notation.most)}:
        raise GateError(f"{quote(text)} always holds", f"write {op[0]} for all but the extreme")

"""The grammar of gates: one line that must hold for a run to pass. Parsing only.

    gate       = number operator (value unit | factor "x" focus)
               | number " - " number operator value unit        (both of one metric)
    number     = focus "." metric
    focus      = arm ["." ("tool" | "step" | "journey") "[" name "]"]
    operator   = "<" | "<=" | ">" | ">="
    value      = digits ["." digits]

A step's name is `JOURNEY.LABEL`. An arm alone after a factor means the same tool, step or journey
of that arm. The tables below have everything about the notation; what a metric means is up to
`reports`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote

Kind = Literal[
    "time", "fraction", "slots", "rate", "count", "share", "work", "bytes", "growth", "kib", "drift"
]
Needs = Literal["calls", "journeys", "planned", "resources", "sessions"]
FocusKind = Literal["", "tool", "step", "journey"]


class GateError(InputError):
    """A gate that cannot be read, or that says nothing: `message`, `hint`."""


@dataclass(frozen=True)
class Metric:
    """What kind of number a metric is, and what must have been counted for it to exist."""

    kind: Kind
    needs: Needs
    arm_only: bool = False
    """Whether no tool, step or journey has it."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Return which parts of an arm have it, too."""
        calls = ("tool", "step", "journey")
        known = {"calls": calls, "journeys": ("journey",)}
        return () if self.arm_only else known.get(self.needs, ())


@dataclass(frozen=True)
class Focus:
    """Whose numbers they are: a whole arm's, or those for one tool, step or journey of it."""

    arm: str
    kind: FocusKind = ""
    name: str = ""
    """Of a step: `JOURNEY.LABEL`."""

    def __str__(self) -> str:
        return f"{self.arm}.{self.kind}[{self.name}]" if self.kind else self.arm

    def has(self, step: str, journey: str, tool: str) -> bool:
        """Tell whether a call is among them; `step` is its label, empty for a whole journey."""
        found = {"": "", "tool": tool, "step": f"{journey}.{step}", "journey": journey}
        return found[self.kind] == self.name


@dataclass(frozen=True)
class Gate:
    """A gate as written, and its parts: a bound on a number, on a ratio, or on a difference."""

    text: str
    focus: Focus
    metric: str
    op: str
    value: float | None
    """In `unit`: a fraction of 1 if the gate was written in percent. None for a ratio."""
    unit: str
    """The metric's, as in the report: `ms`, `fraction`, `/s`, `count`, `B`, `KiB` or `fraction/h`.
    """
    factor: float | None = None
    """The bound of a ratio."""
    versus: Focus | None = None
    """Whose number it is divided by, or whose number is subtracted."""

    @property
    def sides(self) -> tuple[Focus, ...]:
        """Return whose numbers it is about."""
        return (self.focus,) if self.versus is None else (self.focus, self.versus)

    def allows_failures(self, share: float) -> bool:
        """Tell whether it is about an arm's failures, and holds if this share of calls fails."""
        of_all = {"error_rate": share, "rate_limited_rate": share, "success_rate": 1 - share}
        found = of_all.get(self.metric)
        if found is None or self.value is None or self.versus is not None or self.focus.kind:
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
    "availability": Metric("slots", "journeys", arm_only=True),
    "stray_rate": Metric("share", "calls", arm_only=True),
    **{name: Metric("time", "calls") for name in _TIMES},
    **{f"journey_{name}": Metric("time", "journeys") for name in _TIMES},
    **{f"first_event_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"gap_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"cancel_stop_{name}": Metric("time", "calls") for name in _TIMES},
    **{f"recovery_{name}": Metric("time", "calls") for name in _TIMES},
    "drift": Metric("drift", "journeys", arm_only=True),
    "tools_list_tokens": Metric("count", "calls", arm_only=True),
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
_BINARY: Final = {"KiB": 2**-10, "MiB": 2**-20, "GiB": 2**-30}
_BYTES: Final = {"B": 1, "kB": 1e-3, "MB": 1e-6, "GB": 1e-9, **_BINARY}

NOTATIONS: Final[Mapping[Kind, _Notation]] = {
    "time": _Notation("ms", _DURATIONS, "200ms"),
    "fraction": _Notation("fraction", {"%": 100}, "0.1%", most=1),
    "slots": _Notation("fraction", {"%": 100}, "99.9%", most=1),
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

_PARTS: Final[tuple[FocusKind, ...]] = get_args(FocusKind)[1:]
_FOCUS = (
    r"(?P<arm{0}>[\w-]+)"
    r"(?:\s*\.\s*(?P<kind{0}>\w+)\s*\[(?P<name{0}>(?:[^\[\]]|\[[^\[\]]*\])+)\])?"
)
_NUMBER = _FOCUS + r"\s*\.\s*(?P<metric{0}>[\w-]+)"
_GATE = re.compile(
    rf"\s*{_NUMBER.format(1)}(?:\s+-\s+{_NUMBER.format(2)})?\s*"
    r"(?P<op>[^\w\s.]+)\s*(?P<right>\S.*?)\s*",
    re.ASCII | re.DOTALL,
)
_RIGHT = re.compile(
    rf"(?P<number>\d{{1,15}}(?:\.\d{{1,15}})?)\s*(?:x\s+{_FOCUS.format(3)}|(?P<unit>[^\d\s.]*))",
    re.ASCII,
)
_LONGEST = 500
_EXAMPLE = "write it like mcp.p95 < 200ms, or mcp.tool[NAME].p95 < 200ms"
_NOT_COMPARED: Final = ("growth", "kib", "drift")


def parse(text: str) -> Gate:
    """Read one gate, such as `mcp.p95 < 200ms` or `mcp.throughput >= 3x control`.

    Raises GateError with what is wrong and a hint. The caller checks whether what it names exists.
    """
    match = _GATE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise GateError(f"{quote(text)} is not a gate", _EXAMPLE)
    focus, name, op = _focus(text, match, 1), match["metric1"], match["op"]
    if name not in METRICS:
        hint = _EXAMPLE if name in _PARTS else suggest(name, METRICS)
        raise GateError(f"unknown metric {quote(name)} in {quote(text)}", hint)
    notation = NOTATIONS[METRICS[name].kind]
    example = f"{focus}.{name} < {notation.example}"
    _check_focus(text, focus, name)
    if op not in OPERATORS:
        hint = "write a blank on each side of the minus: gateway.p95 - direct.p95 < 5ms"
        hint = hint if op == "-" else f"write {one_of(OPERATORS)}: {example}"
        raise GateError(f"unknown operator {quote(op)} in {quote(text)}", hint)
    right = _RIGHT.fullmatch(match["right"])
    if right is None:
        message = f"{quote(match['right'])} is not a value for {name} in {quote(text)}"
        raise GateError(message, f"write it like {example}, or {focus}.{name} {op} 1.5x ARM")
    gate = Gate(text.strip(), focus, name, op, None, notation.unit)
    gate = replace(gate, versus=_versus(text, gate, match, right))
    if right["arm3"]:
        return replace(gate, factor=float(right["number"]))
    if gate.versus is not None:
        notation = replace(notation, least=-notation.most)
    value = _scaled(text, float(right["number"]), right["unit"], notation, example)
    _check_bound(text, op, value, notation)
    return replace(gate, value=value)


def _focus(text: str, match: re.Match[str], number: int) -> Focus:
    arm, kind, name = (match[f"{part}{number}"] for part in ("arm", "kind", "name"))
    if not kind:
        return Focus(arm)
    part = next((part for part in _PARTS if part == kind), None)
    if part is None:
        hint = suggest(kind, _PARTS)
        raise GateError(f"unknown part {quote(kind)} of {arm} in {quote(text)}", hint)
    if part == "step" and "." not in name:
        message = f"the step {quote(name)} in {quote(text)} does not name its journey"
        raise GateError(message, f"write {arm}.step[JOURNEY.LABEL]")
    return Focus(arm, part, name.strip())


def _check_focus(text: str, focus: Focus, name: str) -> None:
    """Refuse numbers that a tool, a step or a journey does not have."""
    of_call = focus.kind == "journey" and name in _TIMES
    if not focus.kind or (focus.kind in METRICS[name].parts and not of_call):
        return
    hint = f"write a gate on the arm: {focus.arm}.{name}"
    if of_call:
        hint = f"write journey_{name}, the time of the journey"
    elif name == "throughput":
        hint = "write calls_per_s: throughput counts journeys"
    raise GateError(f"{quote(text)}: {name} is not measured for a {focus.kind}", hint)


def _versus(text: str, gate: Gate, left: re.Match[str], right: re.Match[str]) -> Focus | None:
    """Return what a number is compared with, if anything; refuse what cannot be compared."""
    focus, name, metric = gate.focus, gate.metric, METRICS[gate.metric]
    subtracts, divides = left["arm2"], right["arm3"]
    if not (subtracts or divides):
        return None
    versus = _focus(text, *((left, 2) if subtracts else (right, 3)))
    if divides and not versus.kind:
        versus = replace(focus, arm=versus.arm)
    alone = f"write a plain bound: {focus}.{name} < {NOTATIONS[metric.kind].example}"
    same = f"write the same metric twice: … - {subtracts}.{name}"
    ratio = f"write a ratio: {focus}.capacity >= 0.9x {subtracts}"
    zero = divides and not float(right["number"])
    never = "cannot be compared as a ratio or difference"
    for is_so, what, hint in (
        (subtracts and divides, " is both a difference and a ratio", "write one of them"),
        (subtracts and left["metric2"] != name, f" subtracts {left['metric2']} from {name}", same),
        (subtracts and name == "capacity", ": a difference of capacities cannot be tested", ratio),
        (zero, " compares with 0x", "write a factor above zero, like 1.5x"),
        (versus == focus, f" compares {focus} with itself", "compare it with another arm"),
        (metric.kind in _NOT_COMPARED, f": {name} {never}", alone),
    ):
        if is_so:
            raise GateError(quote(text) + what, hint)
    _check_focus(text, versus, name)
    return versus


def _scaled(text: str, number: float, unit: str, notation: _Notation, example: str) -> float:
    if unit in notation.scales:
        return number / notation.scales[unit]
    units = one_of(known or "no unit" for known in notation.scales)
    what = f"unknown unit {quote(unit)}" if unit else "no unit"
    raise GateError(f"{what} in {quote(text)}", f"this metric takes {units}: {example}")


def _check_bound(text: str, op: str, value: float, notation: _Notation) -> None:
    """Refuse a gate that always holds or never can: it judges nothing."""
    if value > notation.most:
        raise GateError(f"{quote(text)}: a rate is at most 100%", "write a bound from 0% to 100%")
    if (op, value) in {("<", notation.least), (">", notation.most)}:
        raise GateError(f"{quote(text)} can never hold", f"write {op}= to allow the extreme value")
    if (op, value) in {(">=", notation.least), ("<=", notation.most)}:
        hint = f"write {op[0]} to exclude the extreme value"
        raise GateError(f"{quote(text)} always holds", hint)

"""How the numbers of a gate are written: never as equal to a bound that they miss."""

from mcp_perf import numbers
from mcp_perf.results.document.document import GateResult
from mcp_perf.scenario.model.gates import GateError, parse


def gate(result: GateResult) -> str:
    """Write what a gate measured."""
    return numbers.near_bound(result.measured, result.unit, _bound(result.gate))


def gate_interval(result: GateResult) -> str:
    """Write the interval of what a gate measured."""
    bound = _bound(result.gate)
    ends = (numbers.near_bound(end, result.unit, bound) for end in result.ci95 or ())
    return " to ".join(ends) or numbers.NONE


def _bound(text: str) -> float | None:
    """Return what a gate asks for; None if its grammar is older or newer than ours."""
    try:
        asked = parse(text)
    except GateError:
        return None
    return asked.value if asked.factor is None else asked.factor

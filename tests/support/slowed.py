"""A document with longer times and lower rates."""

from typing import Any

from mcp_perf.results.document.document import Report


def slowed(report: Report, factor: float) -> Report:
    """Give the report of a run that was slower by a factor."""
    return Report.model_validate(_slowed(report.model_dump(by_alias=True), factor))


def _slowed(value: Any, factor: float, name: str = "") -> Any:
    if isinstance(value, dict):
        longer = name.endswith("_ms")
        return {
            key: inner * factor
            if longer and isinstance(inner, float)
            else _slowed(inner, factor, key)
            for key, inner in value.items()
        }
    if name == "percentile_curve":
        return [(at, ms * factor) for at, ms in value]
    if isinstance(value, list):
        return [_slowed(inner, factor) for inner in value]
    return value / factor if name.endswith("_per_s") and isinstance(value, float) else value

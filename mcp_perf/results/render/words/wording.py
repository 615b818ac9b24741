"""What the words of a report mean, in one sentence each; shared by every rendering.

The sentences are in `wording.toml`.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mcp_perf.numbers import count, significant
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import VerdictName

_FILE: Final = Path(__file__).with_name("wording.toml")
TEXTS: Final[dict[str, Any]] = tomllib.loads(_FILE.read_text("utf-8"))
VERDICTS: Final[Mapping[VerdictName, str]] = TEXTS["verdicts"]
CLASSES: Final[Mapping[str, str]] = TEXTS["classes"]
INCOMPLETE: Final = "The run was cut off: the numbers cover only what was recorded before that."
_PERCENTILE: Final = re.compile(
    r"(?:(journey|service|first_event|gap|cancel_stop|recovery)_)?p(\d+(?:_\d+)?)"
)


def metric(name: str) -> str:
    """Explain a metric in a few words; an unknown name needs none and gets an empty string."""
    percentile = _PERCENTILE.fullmatch(name)
    if percentile is None:
        return str(TEXTS["metrics"].get(name, ""))
    timed, rank = percentile.groups("call")
    return f"{TEXTS['percentiles'][timed]}, percentile {rank.replace('_', '.')}"


def summary(report: Report) -> str:
    """Say in one sentence what the verdict means."""
    if report.verdict == "PASS" and not report.gates:
        search = any(arm.capacity for arm in report.arms.values())
        return f"The measurement is sound{'' if search else '; the scenario sets no gates'}."
    return VERDICTS[report.verdict]


def plain(value: object) -> str:
    """Write a value of the environment as a reader would: no braces, no quotes."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def simulated(report: Report) -> list[str]:
    """Name what was simulated in this run instead of being the real thing."""
    named = report.environment.get("simulated") or []
    return [plain(item) for item in (named if isinstance(named, list | tuple) else [named])]


def upstreams(report: Report) -> list[str]:
    """Say for each arm what the simulated providers counted: the cause of much that it costs."""
    return [
        f"{name} asked its upstreams {significant(use.requests_per_journey)} times a journey, over "
        f"{significant(use.connections_per_journey)} new connections, at most "
        f"{count(use.max_in_parallel)} at once"
        for name, arm in report.arms.items()
        if (use := arm.upstream) is not None
    ]

"""The report as the history keeps it: compressed, and never larger than `MOST_BYTES`."""

import json
import zlib
from collections.abc import Iterator
from typing import Final

from mcp_perf.results.compare.history import KeptReport
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.text import changed, clip
from mcp_perf.results.render.charts.thinning import thin

MOST_BYTES: Final = 150_000
_MOST_PARTS: Final = 60
"""Tools and steps: this many take a fifth of the space of a report."""
_MOST_POINTS: Final = 1_200
"""Of all arms together, over time: what charts of two arms can show."""
_DIGITS: Final = 5
"""More than any rendering shows."""
_LONGEST: Final = 1_000
_LONGEST_TITLE: Final = 300


def kept(report: Report) -> KeptReport:
    """Return what the history keeps of a report."""
    return KeptReport(
        title=clip(report.title, _LONGEST_TITLE),
        reason=clip(report.reasons[0].text, _LONGEST) if report.reasons else "",
        targets={name: arm.target for name, arm in report.arms.items()},
        duration_s=report.duration_s,
        document=_packed(report),
        parts=list(_parts(report)),
    )


def _parts(report: Report) -> Iterator[tuple[str, str, float]]:
    """Yield the numbers of the tools and steps that were called most."""
    every = [(arm, *pair) for arm, found in report.arms.items() for pair in found.steps.items()]
    every.sort(key=lambda one: -one[2].count)
    for arm, label, step in every[:_MOST_PARTS]:
        call, _, tool = label.partition(" ")
        part = f"tool[{tool}]" if call == "tools/call" else f"step[{label}]"
        times = step.latency_ms
        values = {"p50": times.p50, "p95": times.p95, "error_rate": step.error_rate}
        for metric, value in values.items():
            if value is not None:
                yield arm, f"{part}.{metric}", value


def _packed(report: Report) -> bytes | None:
    """Compress the first of a report's forms that is small enough."""
    for form in _forms(report):
        packed = zlib.compress(form.encode())
        if len(packed) <= MOST_BYTES:
            return packed
    return None


def _forms(report: Report) -> Iterator[str]:
    """Yield a report as JSON: whole, and then smaller and smaller. Each says what it lacks."""
    yield report.model_dump_json(by_alias=True)
    thinned = _thinned(report)
    yield thinned.model_dump_json(by_alias=True)
    short = _noting(thinned, f"its numbers have {_DIGITS} digits")
    rounded = json.loads(short.model_dump_json(by_alias=True), parse_float=_rounded)
    yield json.dumps(rounded)
    rounded["notes"].append(_note(f"its texts have at most {_LONGEST} characters"))
    yield json.dumps(changed(rounded, lambda text: clip(text, _LONGEST)))


def _thinned(report: Report) -> Report:
    most = _MOST_POINTS // max(1, len(report.arms))
    timeline, used = thin(report.timeline, most), thin(report.resources, most)
    stride = -(-len(report.sessions) // _MOST_POINTS)
    arms = max(1, len({point.arm for point in report.sessions}))
    sessions = [one for i, one in enumerate(report.sessions) if i // arms % max(1, stride) == 0]
    widest = max(timeline.seconds or 0, used.seconds or 0)
    parts = {"timeline": timeline.points, "resources": used.points, "sessions": sessions}
    less = report.model_copy(update=parts)
    return _noting(less, f"a point of its charts over time is {widest:.3g} s wide")


def _noting(report: Report, what: str) -> Report:
    return report.model_copy(update={"notes": [*report.notes, _note(what)]})


def _note(what: str) -> str:
    return f"This report comes from the history, which has no room for all of it: {what}."


def _rounded(number: str) -> float:
    return float(f"{float(number):.{_DIGITS}g}")

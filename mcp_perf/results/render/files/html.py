"""`report.html`: one file that works offline, on any screen, on paper, and without a script.

Every text goes through Jinja's autoescape, after `_written` has made its invisible characters
visible; the page's own content policy forbids every request, and every script but ours.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from mcp_perf import folders, numbers
from mcp_perf.results.document.comparison import Comparison, Regression
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.text import clip, visible
from mcp_perf.results.render.charts import capacity, charts, layers, percentiles, resource_charts
from mcp_perf.results.render.charts.bounds import gate_bounds
from mcp_perf.results.render.charts.scales import of_ratios
from mcp_perf.results.render.charts.thinning import thin
from mcp_perf.results.render.words import arm_rows, grouping, load_words, templates, wording
from mcp_perf.results.render.words.gate_numbers import gate, gate_interval

_MOST_POINTS: Final = 600
"""Points along the timeline: more than a screen can show apart."""
_EXAMPLE_LIMIT: Final = 4_000
_SCRIPT: Final = (folders.shipped("templates") / "report.js").read_text("utf-8")


def _written(value: Any) -> Any:
    """Finish what a template puts out: None is a dash, and plain text is made visible."""
    if value is None:
        return numbers.NONE
    return visible(value) if type(value) is str else value


def unbroken(text: str) -> str:
    """Keep the numbers of a sentence on one line with their thousands, units and signs."""
    text = re.sub(r"(?<=\d) (?=%|\d{3}\b)", numbers.THIN, text)
    return re.sub(r"(?<=[<>=]) (?=\d)", "\u00a0", text)


NUMBERS: Final = (
    *(numbers.ms, numbers.seconds, numbers.rate, numbers.count, numbers.counted, numbers.percent),
    *(numbers.byte_size, numbers.ratio, numbers.p_value, numbers.measured, numbers.interval),
    *(gate, gate_interval, numbers.with_unit),
    *(arm_rows.per_session, arm_rows.growth),
)
"""Filters of all templates: how numbers are written."""
_WORDS: Final = (
    *(capacity.trials, capacity.broke, capacity.contradictions, wording.metric, wording.plain),
    unbroken,
)


def environment(finalize: Callable[[Any], Any]) -> Environment:
    """Return what fills in templates; `finalize` gets whatever they put out."""
    made = templates.environment(finalize)
    made.filters |= {write.__name__: write for write in (*NUMBERS, *_WORDS)}
    made.filters["example"] = lambda text: clip(text, _EXAMPLE_LIMIT)
    made.globals |= {"CLASSES": wording.CLASSES, "INCOMPLETE": wording.INCOMPLETE}
    made.globals["LAYERS_MEANING"] = layers.MEANING
    return made


_ENVIRONMENT: Final = environment(_written)


def _drawings(report: Report) -> dict[str, Any]:
    arms, gates = report.arms, gate_bounds(report)
    series = thin(report.timeline, _MOST_POINTS)
    searched = {
        "capacity_latency": capacity.latency(arms, gates),
        "capacity_achieved": capacity.achieved(arms, gates),
        "capacity_search": capacity.search(arms),
    }
    drawn: dict[str, Any] = {
        # Over all rounds of a search, rates that held and rates that broke are mixed.
        "percentiles": "" if any(searched.values()) else percentiles.draw(arms, gates),
        "thinned_to_s": series.seconds,
        "shaded": charts.shaded(arms),
        **dict.fromkeys(("rates", "latencies", "sessions"), ""),
        "resources": {},
        **searched,
    }
    if series.points:
        used, last_s = thin(report.resources, _MOST_POINTS), series.last_s
        drawn |= {
            "rates": charts.rates(arms, series, gates),
            "latencies": charts.latencies(arms, series, gates),
            "sessions": resource_charts.sessions(arms, report.sessions, last_s, gates),
            "resources": resource_charts.draw(arms, used, last_s, gates),
        }
    return drawn


def _key_chart(report: Report, drawn: Mapping[str, Any]) -> str:
    """Choose what is drawn in the first screen; if levels change, one curve would mix them."""
    measured = (one for arm in report.arms.values() for one in arm.rounds if one.phase == "round")
    steady = len({(turn.users, turn.rate_per_s) for turn in measured}) < 2
    choices = {
        "layers": report.layers,
        "capacity": drawn["capacity_latency"],
        "percentiles": drawn["percentiles"] and steady,
        "latencies": drawn["latencies"],
    }
    return next((name for name, there in choices.items() if there), "")


def regressions(rows: Sequence[Regression]) -> dict[str, Any]:
    """Group what was compared with a base by arm, each with its drawing; empty without rows."""
    return _by_arms(rows)


def _by_arms(rows: Sequence[Comparison | Regression]) -> dict[str, Any]:
    x = of_ratios([row for row in rows if row.ratio is not None])
    grouped: dict[tuple[str, str], list[tuple[Comparison | Regression, str]]] = {}
    for row in rows:
        drawn = "" if row.ratio is None else charts.interval(row, x)
        grouped.setdefault((row.arm, row.versus), []).append((row, drawn))
    return {"groups": grouped, "axis": charts.interval_axis(x.ticks)} if rows else {}


def page(template: str, arms: Iterable[str], **context: Any) -> str:
    """Fill in a template; arms look the same in all templates."""
    return _ENVIRONMENT.get_template(template).render(looks=charts.looks(arms), **context)


def render(report: Report, template: str = "report.html.j2", **more: Any) -> str:
    """Write the report as one HTML page; another template may want more than the report."""
    rungs, layers_axis = layers.waterfall(report.layers, charts.looks(report.arms))
    drawn = _drawings(report)
    return page(
        template,
        report.arms,
        report=report,
        regressions=regressions(report.regressions),
        turns=charts.turns(report.arms),
        rounds=grouping.rounds(report.arms),
        capacities=capacity.of_arms(report.arms),
        found=capacity.found(report.arms),
        arm_groups=arm_rows.groups(report.arms),
        summary=wording.summary(report),
        simulated=wording.simulated(report),
        drawn=drawn,
        key_chart=_key_chart(report, drawn),
        load=load_words.describe(report.environment.get("load") or {}),
        failed=grouping.failures(report.failures),
        steps=grouping.steps(report.arms),
        script=Markup(_SCRIPT),  # noqa: S704 -- it ships with us
        script_digest=b64encode(sha256(_SCRIPT.encode()).digest()).decode(),
        rungs=rungs,
        layers_axis=layers_axis,
        comparisons=_by_arms(report.comparisons),
        footnotes=grouping.footnotes(report.comparisons),
        **more,
    )

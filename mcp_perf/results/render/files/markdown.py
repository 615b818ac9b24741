"""`report.md`: the report for a pull-request comment or a job summary; the verdict stands first.

Compact on purpose: GitHub refuses a comment of more than 65 536 characters, so long names and long
tables are cut, and say so; everything is in report.html and report.json. What few readers need is
folded away. The templates say how it looks; whatever they put out is escaped here.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

from mcp_perf import numbers
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.text import clip, one_line, shortened
from mcp_perf.results.render.charts import capacity, layers
from mcp_perf.results.render.files import html
from mcp_perf.results.render.words import grouping, wording

MARKS: Final = {"PASS": "\u2705", "FAIL": "\u274c", "INCONCLUSIVE": "\u2754", "INVALID": "\u26a0"}
_NAME_LIMIT: Final = 100
_TEXT_LIMIT: Final = 400
_ROW_LIMIT: Final = 40
_SPECIAL: Final = re.compile(
    r"[\\`*\[\]<>|~&$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore inside a word is harmless
    r"|^(?:[#+=-]|\d+[.)](?=\s|$))"
)
_MENTION: Final = re.compile(r"@(?=\w)|#(?=\d)")
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
"""Readers disagree on \\| in a table; on an entity they cannot."""
_PART: Final = "\f"
"""Begins each part but the first; in texts it is made visible, so no text can."""


def text(value: str, limit: int = _TEXT_LIMIT) -> str:
    """Write free text on one line, so that it formats nothing, mentions nobody and ends no cell."""
    return _escaped(clip(one_line(value), limit))


def _escaped(line: str) -> str:
    harmless = _MENTION.sub(lambda match: match.group() + "\u200b", line)
    return _SPECIAL.sub(lambda match: _escape(match.group()), harmless)


def _escape(special: str) -> str:
    return _ENTITIES.get(special, f"{special[:-1]}\\{special[-1]}")


def code(value: str, limit: int = _NAME_LIMIT) -> str:
    """Write a name as code that no backtick in it can close and no pipe can cut."""
    line = shortened(one_line(value), limit)
    if not line:
        return numbers.NONE
    if "|" in line:
        return f"<code>{_escaped(line)}</code>"
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line[0] + line[-1] else ""
    return f"{fence}{space}{line}{space}{fence}"


def bullets(lines: Sequence[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {text(line)}" for line in lines[:_ROW_LIMIT])


def _written(value: Any) -> Markup:
    """Finish what a template puts out: all but our Markdown is free text."""
    return value if isinstance(value, Markup) else Markup(text(str(value)))  # noqa: S704 -- escaped


def _marked(write: Callable[..., str]) -> Callable[..., Markup]:
    """Return a filter whose texts are Markdown as they are."""
    return lambda *given: Markup(write(*given))  # noqa: S704 -- numbers, or escaped


_ENVIRONMENT: Final = html.environment(_written)
_ENVIRONMENT.filters |= {write.__name__: _marked(write) for write in (*html.NUMBERS, text, code)}
_ENVIRONMENT.globals |= {"MARKS": MARKS, "ROWS": _ROW_LIMIT, "PART": escape(_PART)}


def page(template: str, **context: Any) -> list[str]:
    """Fill in a template part by part, the head first."""
    filled = _ENVIRONMENT.get_template(template).render(**context)
    return [part.strip("\n") for part in filled.split(_PART)]


def sections(report: Report) -> list[str]:
    """Write the report part by part, the head first; parts without content are left out."""
    arms = report.arms.items()
    held = [*((name, arm.sessions) for name, arm in arms), ("", report.generator.sessions)]
    return page(
        "report.md.j2",
        report=report,
        summary=wording.summary(report),
        simulated=wording.simulated(report),
        upstreams=wording.upstreams(report),
        found=capacity.found(report.arms),
        levels=[
            (name, level)
            for name, what in capacity.of_arms(report.arms).items()
            for level in what.levels
        ],
        rungs=layers.rungs(report.layers),
        turns=grouping.rounds(report.arms),
        footnotes=grouping.footnotes(report.comparisons[:_ROW_LIMIT]),
        held=[(name, one) for name, one in held if one.most],
        steps=[(name, *step) for name, arm in arms for step in arm.steps.items()],
        journeys=[(name, *journey) for name, arm in arms for journey in arm.journeys.items()],
        replies=[(one, *first) for one in report.replies for first in one.first.items()],
    )


def render(report: Report) -> str:
    """Write the report as GitHub-flavoured Markdown."""
    return "\n\n".join(sections(report)) + "\n"

"""`report.md`: the report for a pull-request comment or a job summary; the verdict stands first.

Compact on purpose: GitHub refuses a comment of more than 65 536 characters, so long names and long
tables are cut, and say so; everything is in report.html and report.json. What few readers need is
folded away.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import Failure, Latency, Report, RoundNumbers, StepNumbers
from mcp_perf.results.document.replies import StepReplies
from mcp_perf.results.render.charts import capacity, layers
from mcp_perf.results.render.words import numbers, wording
from mcp_perf.results.render.words.arm_rows import growth, per_session
from mcp_perf.results.render.words.text import clip, one_line

MARKS: Final = {"PASS": "\u2705", "FAIL": "\u274c", "INCONCLUSIVE": "\u2754", "INVALID": "\u26a0"}
_NAME_LIMIT: Final = 100
_TEXT_LIMIT: Final = 400
_ROW_LIMIT: Final = 40
_WORDS: Final = {
    *("Gate", "Verdict", "Reason", "Comparison", "Warnings", "Arm", "Classes", "Step", "Journey"),
    *("Failure", "Class", "Example", "What", "Value", "Offered", "What broke", "What broke beyond"),
    *("Layer", "Remark", "Reply"),
}
"""The columns that hold words; all others hold numbers."""
_SPECIAL: Final = re.compile(
    r"[\\`*\[\]<>|~&$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore inside a word is harmless
    r"|^(?:[#+=-]|\d+[.)](?=\s|$))"
)
_FOLDED: Final = {
    *("Order of arms", "Steps", "Journeys", "Replies", "Load generator", "Environment")
}
"""Sections that a reader opens when the others leave a question."""
_MENTION: Final = re.compile(r"@(?=\w)|#(?=\d)")
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
"""Readers disagree on \\| in a table; on an entity they cannot."""


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
    line = clip(one_line(value), limit)
    if not line:
        return numbers.NONE
    if "|" in line:
        return f"<code>{_escaped(line)}</code>"
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line[0] + line[-1] else ""
    return f"{fence}{space}{line}{space}{fence}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    every = list(rows)
    rule = ["---" if heading in _WORDS else "---:" for heading in headings]
    lines = ["| " + " | ".join(row) + " |" for row in (headings, rule, *every[:_ROW_LIMIT])]
    left_out = len(every) - _ROW_LIMIT
    if left_out > 0:
        lines += ["", f"{left_out} more rows are in report.html."]
    return "\n".join(lines)


def _head(report: Report) -> str:
    incomplete = "" if report.complete else " (INCOMPLETE)"
    facts = (
        text(report.scenario),
        text(report.started),
        numbers.seconds(report.duration_s),
        f"exit code {report.exit_code}",
        f"run {text(report.run_id)}",
    )
    lines = [
        f"## {MARKS[report.verdict]} {report.verdict}{incomplete}: {text(report.title)}",
        "",
        ", ".join(facts),
        "",
        f"**{wording.summary(report)}**",
    ]
    reasons = [f"{text(reason.text)} {code(reason.code)}" for reason in report.reasons]
    reasons += [] if report.complete else [text(wording.INCOMPLETE)]
    lines += ["", *(f"- {reason}" for reason in reasons[:_ROW_LIMIT])] if reasons else []
    simulated = wording.simulated(report)
    if simulated:
        lines += ["", f"**Simulated:** {text(', '.join(simulated))}"]
        lines += ["", *(f"- {text(line)}" for line in wording.upstreams(report))]
    return "\n".join(lines)


def _gates(report: Report) -> str:
    rows = (
        (
            code(gate.gate),
            text(numbers.measured(gate.measured, gate.unit)),
            text(numbers.interval(gate.ci95, gate.unit)),
            f"**{gate.verdict}**",
            text(gate.reason),
        )
        for gate in report.gates
    )
    return _table(("Gate", "Measured", "95 % interval", "Verdict", "Reason"), rows)


def _capacity(report: Report) -> str:
    found = (
        (code(one.arm), f"**{one.rate}**", one.interval, text(one.beyond))
        for one in capacity.found(report.arms)
    )
    levels = (
        (
            f"{code(name)} {numbers.rate(level.rate_per_s)}",
            capacity.trials(level),
            numbers.rate(level.achieved_per_s),
            *_times(level.latency_ms)[:3],
            numbers.count(level.dropped),
            numbers.percent(level.error_rate),
            text(capacity.broke(level)),
        )
        for name, what in capacity.of_arms(report.arms).items()
        for level in what.levels
    )
    headings = ("Offered", "Held", "Done", *_TIMES[:3], "Dropped", "Errors", "What broke")
    tables = (
        _table(("Arm", "Holds", "Between", "What broke beyond"), found),
        _table(headings, levels),
    )
    return "\n\n".join(tables)


def _layers(report: Report) -> str:
    rows = (
        (code(rung.arm), rung.journey, f"**{rung.cost}**", rung.interval, text(rung.remark))
        for rung in layers.rungs(report.layers)
    )
    headings = ("Layer", "Journey p50", "Own cost", "95 % interval", "Remark")
    return f"{layers.MEANING}\n\n{_table(headings, rows)}"


def _comparisons(report: Report) -> str:
    rows = (
        (
            f"{code(one.metric)} {code(one.arm)} \u00f7 {code(one.versus)}",
            numbers.ratio(one.ratio),
            numbers.interval(one.ci95, "x"),
            numbers.p_value(one.p_value),
            numbers.ratio(one.effect_needed),
            text("; ".join(one.warnings)),
        )
        for one in report.comparisons
    )
    headings = ("Comparison", "Ratio", "95 % interval", "p", "Could have seen", "Warnings")
    return _table(headings, rows)


def regressions(rows: Iterable[Regression]) -> str:
    """Write what was compared with a base as a table."""
    lines = (
        (
            f"{code(row.metric)} {code(row.arm)}"
            + (f" \u00f7 {code(row.versus)}" if row.versus else ""),
            text(numbers.measured(row.base, row.unit)),
            text(numbers.measured(row.new, row.unit)),
            numbers.ratio(row.ratio),
            numbers.interval(row.ci95, "fraction" if row.ratio is None else "x"),
            numbers.p_value(row.p_value),
            f"**{row.verdict}**" if row.verdict else "shown",
            text("; ".join(filter(None, [row.reason, *row.warnings]))),
        )
        for row in rows
    )
    headings = ("Comparison", "Base", "Now", "Ratio", "95 % interval", "p", "Verdict", "Reason")
    return _table(headings, lines)


def bullets(lines: Sequence[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {text(line)}" for line in lines[:_ROW_LIMIT])


def _order(report: Report) -> str:
    turns: list[tuple[RoundNumbers, str]] = [
        (turn, name) for name, arm in report.arms.items() for turn in arm.rounds
    ]
    turns.sort(key=lambda turn: turn[0].order)
    shown = [
        code(name, 30) + (" (warm-up)" if turn.phase == "warmup" else "")
        for turn, name in turns[:_ROW_LIMIT]
    ]
    left_out = len(turns) - len(shown)
    return ", ".join(shown) + (f" and {left_out} more turns" if left_out else "")


def _arms(report: Report) -> str:
    rows = (
        (
            f"{code(name)} {code(arm.target)} {text(arm.protocol, _NAME_LIMIT)}".rstrip(),
            numbers.rate(arm.throughput_per_s),
            numbers.rate(arm.calls_per_s),
            numbers.count(arm.calls),
            numbers.percent(arm.error_rate),
            *_times(arm.latency_ms),
            numbers.ms(arm.journey_ms.p50),
            numbers.count(arm.dropped),
            _classes(arm.classes),
        )
        for name, arm in report.arms.items()
    )
    headings = ("Arm", "Throughput", "Calls/s", "Calls", "Errors", *_TIMES, "Journey p50")
    return _table((*headings, "Dropped", "Classes"), rows)


def _resources(report: Report) -> str:
    """Write below the arms what their targets used, and why what is not known is not."""
    every = [(name, arm.resources) for name, arm in report.arms.items()]
    rows = [
        (
            f"{code(name)} {text(used.source, _NAME_LIMIT)}",
            numbers.percent(used.cpu),
            numbers.ms(used.cpu_per_journey_ms),
            *(numbers.byte_size(size) for _, size in used.rss_bytes),
            growth(used),
            numbers.count(used.threads),
            numbers.count(used.fds),
        )
        for name, used in every
        if used.source
    ]
    headings = ("Arm", "CPU of a core", "CPU per journey", "RSS at the start", "Most", "At the end")
    table = _table((*headings, "RSS growth per hour, 95 %", "Threads", "Descriptors"), rows)
    unknown = [
        f"- {code(name)} was not sampled: {text(used.why_not)}"
        for name, used in every
        if used.why_not
    ]
    parts = ["**What the target used**", table if rows else "", "\n".join(unknown)]
    return "".join(f"\n\n{part}" for part in parts if part) if rows or unknown else ""


def _sessions(report: Report) -> str:
    """Write below that what open sessions take of memory, where many were open."""
    held = {f"{code(name)}": arm.sessions for name, arm in report.arms.items()}
    held["the load generator, all arms"] = report.generator.sessions
    rows = [
        (
            name,
            numbers.count(one.most),
            numbers.count(one.streams),
            per_session(one),
            numbers.byte_size(one.rss_before),
            numbers.byte_size(one.rss_open),
            numbers.byte_size(one.rss_after),
        )
        for name, one in held.items()
        if one.most
    ]
    headings = ("Arm", "Sessions", "Streams", "RSS of each", "RSS before", "Open", "Closed")
    return f"\n\n**Open sessions**\n\n{_table(headings, rows)}" if rows else ""


_TIMES: Final = ("p50", "p95", "p99", "max")


def _times(latency: Latency) -> list[str]:
    return [numbers.ms(time) for time in (latency.p50, latency.p95, latency.p99, latency.max)]


def _classes(classes: dict[str, int]) -> str:
    return ", ".join(f"{text(name)} {numbers.count(n)}" for name, n in classes.items() if n)


def _breakdown(first: str, parts: Iterable[tuple[str, dict[str, StepNumbers]]]) -> str:
    rows = (
        (
            f"{code(arm)} {code(name)}",
            numbers.count(step.count),
            numbers.rate(step.per_second),
            numbers.percent(step.error_rate),
            *_times(step.latency_ms),
        )
        for arm, steps in parts
        for name, step in steps.items()
    )
    return _table((first, "Count", "Per second", "Errors", *_TIMES), rows)


def _failures(failures: list[Failure]) -> str:
    rows = (
        (
            f"{code(failure.arm)} {code(failure.step)}",
            numbers.count(failure.count),
            text(failure.cls),
            code(failure.example, 200),
        )
        for failure in failures
    )
    return _table(("Failure", "Count", "Class", "Example"), rows)


def _replies(replies: list[StepReplies]) -> str:
    rows = (
        (f"{code(one.arm)} {code(one.step)}", text(cls), code(reply, _TEXT_LIMIT))
        for one in replies
        for cls, reply in one.first.items()
    )
    return "The first reply of each kind.\n\n" + _table(("Step", "Class", "Reply"), rows)


def _generator(report: Report) -> str:
    health = report.generator
    lost = ", ".join(code(worker) for worker in health.workers_lost) or "none"
    return (
        f"CPU {numbers.with_unit(health.cpu_percent, '%')} of a core,"
        f" {numbers.with_unit(health.cpu_us_per_call, 'µs')} per call,"
        f" loop lag p99 {numbers.ms(health.loop_lag_p99_ms)},"
        f" {numbers.count(health.late_starts)} late starts,"
        f" processes: {numbers.count(health.processes)}, workers lost: {lost}"
    )


def _environment(report: Report) -> str:
    rows = (
        (text(key, _NAME_LIMIT), text(wording.plain(value)))
        for key, value in report.environment.items()
    )
    return _table(("What", "Value"), rows)


def sections(report: Report) -> list[str]:
    """Write the report part by part, the head first; parts without content are left out."""
    arms = report.arms.items()
    parts = (
        ("Gates", report.gates, _gates(report)),
        ("Against the baseline", report.regressions, regressions(report.regressions)),
        ("Capacity", capacity.of_arms(report.arms), _capacity(report)),
        ("Layers", report.layers, _layers(report)),
        ("Comparison", report.comparisons, _comparisons(report)),
        ("Order of arms", any(arm.rounds for _, arm in arms), _order(report)),
        ("Arms", report.arms, f"{_arms(report)}{_resources(report)}{_sessions(report)}"),
        ("Steps", report.arms, _breakdown("Step", ((name, arm.steps) for name, arm in arms))),
        (
            "Journeys",
            report.arms,
            _breakdown("Journey", ((name, arm.journeys) for name, arm in arms)),
        ),
        ("Failures", report.failures, _failures(report.failures)),
        ("Replies", any(one.first for one in report.replies), _replies(report.replies)),
        ("Load generator", True, _generator(report)),
        ("Environment", report.environment, _environment(report)),
        ("Notes", report.notes, bullets(report.notes)),
    )
    return [
        _head(report),
        *(_section(title, content) for title, present, content in parts if present),
    ]


def _section(title: str, content: str) -> str:
    """Put a title above; the blank lines make what is folded Markdown, not HTML."""
    if title in _FOLDED:
        return f"<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>"
    return f"### {title}\n\n{content}"


def render(report: Report) -> str:
    """Write the report as GitHub-flavoured Markdown."""
    return "\n\n".join(sections(report)) + "\n"

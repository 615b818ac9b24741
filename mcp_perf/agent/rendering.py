"""The leaderboard in a terminal and as files: HTML, Markdown, JSON, and the rows as CSV."""

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from mcp_perf import numbers
from mcp_perf.agent.leaderboard import Leaderboard, MeasuredChange
from mcp_perf.agent.records import TaskRecord, as_record, as_row, encode
from mcp_perf.agent.tasks import MODES
from mcp_perf.results.render.console.terminal import table
from mcp_perf.results.render.files import html, markdown, pdf
from mcp_perf.results.render.files.csv_samples import cell

_COLUMNS: Final[dict[str, Callable[[TaskRecord], Any]]] = {
    "Directory ID": lambda one: one.directory_id,
    "MCP Server": lambda one: one.mcp_server,
    "MCP Client": lambda one: one.mcp_client,
    "Task ID": lambda one: one.task_id,
    "Mode": lambda one: one.mode,
    "Model": lambda one: one.model,
    "Duration (s)": lambda one: None if one.duration is None else one.duration / 1000,
    "API Calls (count)": lambda one: one.api_calls,
    "User Interactions (count)": lambda one: one.interactions,
    "Tokens (count)": lambda one: one.total_tokens,
    "Cache Reads (count)": lambda one: one.cache_reads,
    "Cache Writes (count)": lambda one: one.cache_writes,
    "Cost ($)": lambda one: one.cost,
    "Success": lambda one: None if one.success is None else str(one.success).lower(),
    "Notes": lambda one: one.notes,
}


def csv_of(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Write CSV (RFC 4180), in which a spreadsheet does not run any text."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(head)
    for row in rows:
        writer.writerow(cell(value) if isinstance(value, str) else value for value in row)
    return lines.getvalue()


def as_csv(records: Sequence[TaskRecord]) -> str:
    """Write the rows as CSV."""
    return csv_of(_COLUMNS, ([of(one) for of in _COLUMNS.values()] for one in records))


def cells(one: MeasuredChange) -> tuple[str, ...]:
    """Write a metric as it is published, next to what the tests say."""
    spreads = [one.spread[mode] for mode in MODES]
    interval = " to ".join(f"{end:+.1f}" for end in one.change_ci95 or ())
    return (
        *(one.metric, _fixed(one.control), _fixed(one.mcp), _percent(one.change_percent)),
        " / ".join(str(spread.n) for spread in spreads),
        " / ".join(numbers.significant(spread.median) for spread in spreads),
        " / ".join(numbers.significant(spread.sd) for spread in spreads),
        interval or numbers.NONE,
        numbers.p_value(one.p_value),
    )


_WIDE: Final = 110
HEADS: Final = ("metric", "control", "mcp", "change", "n", "median", "sd", "95 % interval", "p")


def _fixed(value: float | None) -> str:
    return numbers.NONE if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return numbers.NONE if value is None else f"{value:+.2f} %"


def far(metrics: Sequence[MeasuredChange]) -> Iterator[str]:
    """Name the outliers of a group, metric by metric."""
    for one in metrics:
        if one.outliers:
            yield f"{one.metric}: outliers are {', '.join(one.outliers)}"


def as_html(board: Leaderboard) -> str:
    """Write the leaderboard as one page."""
    return html.page("agent.html.j2", MODES, board=board, heads=HEADS, cells=cells, far=far)


def operations_page(openapi: Any) -> str:
    """Write the operations of an API as one page, without a script."""
    return html.page("agent_api.html.j2", (), api=openapi)


def as_markdown(board: Leaderboard) -> str:
    """Write the leaderboard as GitHub-flavoured Markdown."""
    page = markdown.page("agent.md.j2", board=board, heads=HEADS, cells=cells, far=far)
    return "\n\n".join(page) + "\n"


def show(board: Leaderboard, console: Console) -> None:
    """Print the means as published, and then how far they can be trusted.

    This fits 80 columns; wider terminals also get n, medians and deviations.
    """
    after = 7 if console.width < _WIDE else 4
    for group in board.groups:
        counts = ", ".join(f"{n} {mode}" for mode, n in group.rows.items())
        console.print(Text(f"{group.title} ({counts})", style="bold"))
        rows = ((*row[:4], *row[after:]) for row in map(cells, group.metrics))
        console.print(table((*HEADS[:4], *HEADS[after:]), rows, console.width))
        for told in far(group.metrics):
            console.print(Text(told, style="dim"))
        console.print()
    for remark in board.remarks:
        console.print(Text(remark, style="dim"), soft_wrap=True)
    console.print(Text(board.sentence, style="bold"), soft_wrap=True)


RENDERINGS: Final[dict[str, Callable[[Leaderboard], str | bytes]]] = {
    "html": as_html,
    "json": Leaderboard.as_json,
    "md": as_markdown,
    "pdf": lambda board: pdf.render(as_html(board)),
}
"""The formats, by the file extension."""


def write(
    board: Leaderboard,
    records: Sequence[TaskRecord],
    folder: Path,
    formats: Sequence[str] = tuple(RENDERINGS)[:3],
) -> None:
    """Write all files: the leaderboard, the rows, the summary, a record for each run."""
    tasks = folder / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    files = {
        **{f"leaderboard.{name}": RENDERINGS[name](board) for name in formats},
        "rows.csv": as_csv(records),
        "summary.json": encode([as_row(one) for one in records]),
    }
    for name, content in files.items():
        whole = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(whole)
    made: set[Path] = set()
    for one in records:
        names = (f"{count}_{one.file}" if count else one.file for count in itertools.count())
        path = next(path for name in names if (path := tasks / name) not in made)
        made.add(path)
        path.write_text(encode(as_record(one)), encoding="utf-8")

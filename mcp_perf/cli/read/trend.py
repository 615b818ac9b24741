"""`mcp-perf trend`: how metrics went over all runs."""

from collections.abc import Sequence
from pathlib import Path

import click

from mcp_perf.cli.answer import answer
from mcp_perf.cli.read.runs import FOLDER, history, store_option, writing
from mcp_perf.cli.refused import Refused, scenario_names


@click.command()
@click.argument("scenario", default="", shell_complete=scenario_names)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="ARM.METRIC",
    help="A metric of an arm, such as mcp.p95. May be repeated.",
)
@store_option
@click.option(
    "--html", "page", type=FOLDER, metavar="FILE", help="Also write the trends to this HTML page."
)
@click.option(
    "--pdf", "paper", type=FOLDER, metavar="FILE", help="Also write the trends to this PDF file."
)
def trend(
    scenario: str, metrics: Sequence[str], store: str, page: Path | None, paper: Path | None
) -> None:
    """Show how metrics changed from run to run, for SCENARIO or for all.

    A line only joins runs that can be compared: same work, load and machine.

    \b
    Examples:
      mcp-perf trend echo
      mcp-perf trend echo --metric mcp.p95 --html trend.html
    """
    from mcp_perf.results.compare.history import points  # noqa: PLC0415
    from mcp_perf.results.render.console.history_terminal import trend_tables  # noqa: PLC0415
    from mcp_perf.results.render.files import pdf, trend_page  # noqa: PLC0415
    from mcp_perf.results.stats.trend import lines  # noqa: PLC0415

    with history(store) as kept:
        found = lines(points(kept, scenario.replace("_", "-"), _metrics(metrics)))
    if not found:
        asked = " ".join([scenario, *metrics]).strip() or "anything"
        raise Refused(
            f"The history has no run of {asked} that was measured properly: INVALID runs and those "
            "that were cut off do not count. Add one with mcp-perf run."
        )
    for option, path in (("--html", page), ("--pdf", paper)):
        if path is None:
            continue
        whole = trend_page.render(found)
        try:
            with writing(f"{option} {path}", "file"):
                path.write_bytes(pdf.render(whole) if option == "--pdf" else whole.encode())
        except pdf.PdfError as error:
            raise Refused(f"{option}: {error}") from None
    answer(found, draw=lambda console: trend_tables(found, console))


def _metrics(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Read `mcp.p95` and the like; the default is throughput and p95 of every arm."""
    from mcp_perf.results.tally.metrics import COMPARED  # noqa: PLC0415

    found = []
    for text in texts:
        arm, dot, metric = text.rpartition(".")
        if not (dot and arm) or "." in arm or metric not in COMPARED:
            hint = "write ARM.METRIC, such as mcp.p95, with one of the metrics"
            raise Refused(f"--metric {text}: {hint} {', '.join(COMPARED)}")
        found.append((arm, metric))
    return found or [("", "throughput"), ("", "p95")]

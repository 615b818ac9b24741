"""`mcp-perf compare`: what got worse from one run to the next."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mcp_perf.cli.answer import answer, console, no_json, say
from mcp_perf.cli.read.runs import FOLDER, check, read_base, read_run
from mcp_perf.cli.refused import Refused
from mcp_perf.scenario.values.units import TOLERANCE

if TYPE_CHECKING:
    from mcp_perf.cli.output.ci import Job
    from mcp_perf.results.compare.report import CompareReport

_EXITS: Final = """\b
Exit codes: 0 nothing is worse, 90 INCONCLUSIVE, 91 a run is INVALID,
99 something is worse, 104 the runs cannot be compared."""


@click.command(epilog=_EXITS)
@click.argument("base", type=FOLDER)
@click.argument("runs", type=FOLDER, nargs=-1, required=True, metavar="NEW...")
@click.option("--tolerance", default=TOLERANCE, show_default=True, help="How much worse it may be.")
@click.option("--out", type=FOLDER, help="Also write compare.html, .md and .json to this folder.")
@click.option("--ci", is_flag=True, help="Plain text; the job gets summary and annotations.")
def compare(
    base: Path, runs: Sequence[Path], tolerance: str, out: Path | None, *, ci: bool
) -> None:
    """Compare runs with an earlier one: BASE is a run's folder, or a baseline.

    \b
    Examples:
      mcp-perf compare mcp-perf-out/RUN-1 mcp-perf-out/RUN-2
      mcp-perf compare baselines/echo.json mcp-perf-out/RUN --tolerance 10% --ci
    """
    if not ci:
        sys.exit(_compare(base, runs, tolerance, out, None))
    from mcp_perf.cli.output.ci import job  # noqa: PLC0415

    no_json()
    with job(os.environ) as page:
        try:
            code = _compare(base, runs, tolerance, out, page)
        except Refused as refused:
            refused.show()
            page.refuse(refused.exit_code, refused.message.splitlines())
            code = refused.exit_code
    sys.exit(code)


def _compare(
    base: Path, runs: Sequence[Path], tolerance: str, out: Path | None, page: "Job | None"
) -> int:
    from mcp_perf.results.compare.report import compare_all  # noqa: PLC0415
    from mcp_perf.results.render.files.compare_report import RENDERINGS  # noqa: PLC0415

    allowed = _tolerance(tolerance)
    befores = read_base(base)
    news = [read_run(folder) for folder in runs]
    for folder, new in zip(runs, news, strict=True):
        check(base, befores, folder, new)
    report = compare_all(befores, news, allowed)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, render in RENDERINGS.values():
                (out / name).write_text(render(report), encoding="utf-8")
        except OSError as error:
            raise Refused(f"--out {out}: cannot be written ({error.strerror})") from None
    _show(report, page)
    if out is not None:
        say(f"Report: {out / 'compare.html'}")
    return report.exit_code


def _show(report: "CompareReport", page: "Job | None") -> None:
    from mcp_perf.results.render.console.terminal import comparison  # noqa: PLC0415

    if page is None:
        answer(report, draw=lambda screen: comparison(report, screen))
        return
    from mcp_perf.cli.output.ci import PLAIN  # noqa: PLC0415
    from mcp_perf.results.render.console import annotations  # noqa: PLC0415
    from mcp_perf.results.render.files import compare_report  # noqa: PLC0415

    comparison(report, console(**PLAIN))
    page.tell(compare_report.sections(report), annotations.of_comparison(report))


def _tolerance(text: str) -> float:
    from mcp_perf.load.prepare.baseline import read_tolerance  # noqa: PLC0415
    from mcp_perf.load.targets.refusal import Refusal  # noqa: PLC0415

    try:
        return read_tolerance(text)
    except Refusal as refusal:
        raise Refused(str(refusal)) from refusal

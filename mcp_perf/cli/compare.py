"""The commands that look at more than one run: `compare`, `baseline`, `trend`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from mcp_perf.cli.ci import Job
    from mcp_perf.results.compare.report import CompareReport
    from mcp_perf.results.document.run_numbers import RunNumbers

_FOLDER: Final = click.Path(path_type=Path)
_EXITS: Final = """\b
Exit codes: 0 nothing is worse, 90 INCONCLUSIVE, 91 a run is INVALID,
99 something is worse, 104 the runs cannot be compared."""


class _Refused(click.ClickException):
    """What was asked for cannot be done; nothing was sent, and nothing written."""

    exit_code = 104

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say why, without a prefix."""
        click.echo(self.message, err=True)


@click.command(epilog=_EXITS)
@click.argument("base", type=_FOLDER)
@click.argument("runs", type=_FOLDER, nargs=-1, required=True, metavar="NEW...")
@click.option("--tolerance", default="5%", show_default=True, help="How much worse is tolerated.")
@click.option("--out", type=_FOLDER, help="Also write compare.html, .md and .json to this folder.")
@click.option("--ci", is_flag=True, help="Plain text; the job gets summary and annotations.")
def compare(
    base: Path, runs: Sequence[Path], tolerance: str, out: Path | None, *, ci: bool
) -> None:
    """Compare runs with an earlier one: BASE is a run's folder, or a baseline.

    \b
    Examples:
      mcp-perf compare reports/out/RUN-1 reports/out/RUN-2
      mcp-perf compare baselines/echo.json reports/out/RUN --tolerance 10% --ci
    """
    if not ci:
        sys.exit(_compare(base, runs, tolerance, out, None))
    from mcp_perf.cli.ci import job  # noqa: PLC0415

    with job(os.environ) as page:
        try:
            code = _compare(base, runs, tolerance, out, page)
        except _Refused as refused:
            refused.show()
            page.refuse(refused.exit_code, refused.message.splitlines())
            code = refused.exit_code
    sys.exit(code)


def _compare(
    base: Path, runs: Sequence[Path], tolerance: str, out: Path | None, page: "Job | None"
) -> int:
    """Compare, show it, here and on this job's page if any; return the exit code."""
    from mcp_perf.results.compare.report import compare_all  # noqa: PLC0415
    from mcp_perf.results.render.files.compare_report import RENDERINGS  # noqa: PLC0415

    allowed = _tolerance(tolerance)
    befores = _base(base)
    news = [_run(folder) for folder in runs]
    for folder, new in zip(runs, news, strict=True):
        _check(base, befores, folder, new)
    report = compare_all(befores, news, allowed)
    _show(report, page)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, render in RENDERINGS.values():
                (out / name).write_text(render(report), encoding="utf-8")
        except OSError as error:
            raise _Refused(f"--out {out}: cannot be written ({error.strerror})") from None
        click.echo(f"Report: {out / 'compare.html'}")
    return report.exit_code


@click.group()
def baseline() -> None:
    """Keep what runs measured, for `run --baseline` and `compare`.

    \b
    Examples:
      mcp-perf baseline save reports/out/echo-20261121T101500Z
      mcp-perf baseline show baselines/echo.json
    """


@baseline.command()
@click.argument("runs", type=_FOLDER, nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", type=_FOLDER, help="Default: baselines/SCENARIO.json.")
def save(runs: Sequence[Path], output: Path | None) -> None:
    """Save one or more runs as a baseline; with three or more, it knows how much runs differ.

    \b
    Example:
      mcp-perf baseline save reports/out/echo-* -o baselines/echo.json
    """
    from mcp_perf.results.compare.baseline import write  # noqa: PLC0415
    from mcp_perf.results.compare.report import unfit  # noqa: PLC0415

    numbers = [_run(folder) for folder in runs]
    for folder, run in zip(runs, numbers, strict=True):
        if reason := unfit(run):
            raise _Refused(f"{folder}: {reason} It cannot be a baseline; run it again.")
        _check(runs[0], numbers[:1], folder, run)
    if len({run.run_id for run in numbers}) < len(numbers):
        raise _Refused("One of the runs is named twice: name each run once.")
    path = output or Path("baselines") / f"{numbers[0].identity.scenario}.json"
    try:
        write(numbers, path)
    except OSError as error:
        raise _Refused(f"{path}: cannot be written ({error.strerror})") from None
    click.echo(f"{path}: {len(numbers)} run{'s' if len(numbers) > 1 else ''}")


@baseline.command()
@click.argument("path", type=_FOLDER)
def show(path: Path) -> None:
    """Show what a baseline holds.

    \b
    Example:
      mcp-perf baseline show baselines/echo.json
    """
    from rich.console import Console  # noqa: PLC0415

    from mcp_perf.results.render.console.history_terminal import baseline_table  # noqa: PLC0415

    baseline_table(_base(path), Console())


@click.command()
@click.argument("scenario", default="")
@click.option("--metric", "metrics", multiple=True, metavar="ARM.METRIC", help="Such as mcp.p95.")
@click.option("--store", default="", metavar="URL", help="Default: $MCP_PERF_STORE, or a file.")
@click.option("--html", "page", type=_FOLDER, metavar="FILE", help="Also write a page.")
def trend(scenario: str, metrics: Sequence[str], store: str, page: Path | None) -> None:
    """Show how metrics went from run to run, of SCENARIO or of all.

    Only runs that can be compared stand in one line: the same work, load and machine.

    \b
    Examples:
      mcp-perf trend echo
      mcp-perf trend echo --metric mcp.p95 --html trend.html
    """
    from rich.console import Console  # noqa: PLC0415

    from mcp_perf.load.prepare.history import chosen, problems  # noqa: PLC0415
    from mcp_perf.results.compare.history import HistoryError, points  # noqa: PLC0415
    from mcp_perf.results.render.console.history_terminal import trend_tables  # noqa: PLC0415
    from mcp_perf.results.render.files import trend_page  # noqa: PLC0415
    from mcp_perf.results.stats.trend import lines  # noqa: PLC0415

    if wrong := problems(store):
        raise _Refused(wrong[0])
    try:
        found = lines(points(chosen(store), scenario.replace("_", "-"), _metrics(metrics)))
    except HistoryError as error:
        raise _Refused(str(error)) from error
    if not found:
        asked = " ".join([scenario, *metrics]).strip() or "anything"
        raise _Refused(f"The history knows no sound run of {asked}: mcp-perf run adds one.")
    trend_tables(found, Console())
    if page is not None:
        try:
            page.write_text(trend_page.render(found), encoding="utf-8")
        except OSError as error:
            raise _Refused(f"--html {page}: cannot be written ({error.strerror})") from None


def _metrics(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Read `mcp.p95`; without any, throughput and p95 of every arm are shown."""
    from mcp_perf.results.tally.metrics import COMPARED  # noqa: PLC0415

    found = []
    for text in texts:
        arm, dot, metric = text.rpartition(".")
        if not (dot and arm) or metric not in COMPARED:
            known = ", ".join(COMPARED)
            raise _Refused(f"--metric {text}: write ARM.METRIC, such as mcp.p95; known: {known}")
        found.append((arm, metric))
    return found or [("", "throughput"), ("", "p95")]


def _base(path: Path) -> "list[RunNumbers]":
    from mcp_perf.results.compare.baseline import BaselineError, read  # noqa: PLC0415

    if path.is_dir():
        return [_run(path)]
    try:
        return read(path)
    except BaselineError as error:
        raise _Refused(str(error)) from error


def _run(folder: Path) -> "RunNumbers":
    from mcp_perf.results.compare.baseline import of_report  # noqa: PLC0415
    from mcp_perf.results.journal.journal import JournalError  # noqa: PLC0415
    from mcp_perf.results.report.build import load_report  # noqa: PLC0415

    try:
        return of_report(load_report(folder)[0])
    except JournalError as error:
        raise _Refused(f"{folder}: {error}") from error


def _check(base: Path, befores: "Sequence[RunNumbers]", folder: Path, new: "RunNumbers") -> None:
    """Refuse what cannot be compared, with all that differs."""
    from mcp_perf.load.prepare.baseline import refused  # noqa: PLC0415

    if lines := refused(befores, new.identity):
        raise _Refused("\n".join(f"{folder} cannot be compared with {base}: {x}" for x in lines))


def _show(report: "CompareReport", page: "Job | None") -> None:
    from rich.console import Console  # noqa: PLC0415

    from mcp_perf.results.render.console.terminal import comparison  # noqa: PLC0415

    if page is None:
        comparison(report, Console())
        return
    from mcp_perf.cli.ci import PLAIN  # noqa: PLC0415
    from mcp_perf.results.render.console import annotations  # noqa: PLC0415
    from mcp_perf.results.render.files import compare_report  # noqa: PLC0415

    comparison(report, Console(**PLAIN))
    page.tell(compare_report.sections(report), annotations.of_comparison(report))


def _tolerance(text: str) -> float:
    from mcp_perf.load.prepare.baseline import read_tolerance  # noqa: PLC0415
    from mcp_perf.load.targets.refusal import Refusal  # noqa: PLC0415

    try:
        return read_tolerance(text)
    except Refusal as refusal:
        raise _Refused(str(refusal)) from refusal

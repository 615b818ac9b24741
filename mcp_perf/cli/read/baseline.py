"""`mcp-perf baseline`: keep what runs measured."""

from collections.abc import Sequence
from pathlib import Path

import click

from mcp_perf.cli.answer import Commands, answer
from mcp_perf.cli.read.runs import FOLDER, check, read_base, read_run, writing
from mcp_perf.cli.refused import Refused


@click.group(cls=Commands)
def baseline() -> None:
    """Keep what runs measured, for `run --baseline` and `compare`.

    \b
    Examples:
      mcp-perf baseline save mcp-perf-out/echo-20261121T101500Z
      mcp-perf baseline show baselines/echo.json
    """


@baseline.command()
@click.argument("runs", type=FOLDER, nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o", "--output", type=FOLDER, help="The file to write. Default: baselines/SCENARIO.json."
)
def save(runs: Sequence[Path], output: Path | None) -> None:
    """Save one or more runs as a baseline. With three or more, it also holds how much runs differ.

    \b
    Example:
      mcp-perf baseline save mcp-perf-out/echo-* -o baselines/echo.json
    """
    from mcp_perf.numbers import counted  # noqa: PLC0415
    from mcp_perf.results.compare.baseline import write  # noqa: PLC0415
    from mcp_perf.results.compare.report import unfit  # noqa: PLC0415

    found = [read_run(folder) for folder in runs]
    for folder, run in zip(runs, found, strict=True):
        if reason := unfit(run):
            raise Refused(f"{folder}: {reason} It cannot be a baseline; run it again.")
        check(runs[0], found[:1], folder, run)
    if len({run.run_id for run in found}) < len(found):
        raise Refused("A run is named twice. Name each run once.")
    name = found[0].identity.scenario
    if output is None and (not name or Path(name).name != name):  # a journal may be somebody else's
        why = f"its scenario {name!r} cannot be the name of a file"
        raise Refused(f"{runs[0]}: {why}. Name the baseline with -o")
    path = output or Path("baselines") / f"{name}.json"
    with writing(path, "file with -o"):
        write(found, path)
    saved = f"{path}: {counted(len(found), 'run')}"
    answer({"file": path, "runs": [run.run_id for run in found]}, saved)


@baseline.command()
@click.argument("path", type=FOLDER)
def show(path: Path) -> None:
    """Show what a baseline holds.

    \b
    Example:
      mcp-perf baseline show baselines/echo.json
    """
    from mcp_perf.results.render.console.history_terminal import baseline_table  # noqa: PLC0415

    runs = read_base(path)
    answer(runs, draw=lambda console: baseline_table(runs, console))

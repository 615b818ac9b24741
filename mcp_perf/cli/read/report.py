"""`mcp-perf report`: the reports of a run, written again."""

from collections.abc import Sequence
from pathlib import Path

import click

from mcp_perf.cli.answer import answer
from mcp_perf.cli.read.runs import FOLDER, read_report
from mcp_perf.cli.refused import FORMATS, Refused, formats_option


@click.command()
@click.argument("folder", type=FOLDER, metavar="RUN")
@formats_option(FORMATS)
def report(folder: Path, formats: Sequence[str]) -> None:
    """Write the reports of a run again, from its journal alone.

    \b
    Example:
      mcp-perf report mcp-perf-out/twilio-tasks-20261121T101500Z
    """
    from mcp_perf.results.render.files.write import write_all  # noqa: PLC0415

    document, samples = read_report(folder)
    try:
        written = write_all(document, samples, folder, formats)
    except OSError as error:
        raise Refused(f"{folder}: the reports cannot be written ({error.strerror})") from error
    answer(document, *map(str, written))

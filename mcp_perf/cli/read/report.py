"""`mcp-perf report`: the reports of a run, written again."""

from pathlib import Path

import click

from mcp_perf.cli.answer import answer
from mcp_perf.cli.refused import FORMATS, Refused, formats_option, read_formats


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@formats_option(FORMATS)
def report(folder: Path, formats: str) -> None:
    """Write the reports of a run again, from its journal alone.

    \b
    Example:
      mcp-perf report mcp-perf-out/twilio-tasks-20261121T101500Z
    """
    from mcp_perf.results.journal.journal import JournalError  # noqa: PLC0415
    from mcp_perf.results.render.files.write import write_all  # noqa: PLC0415
    from mcp_perf.results.report.build import load_report  # noqa: PLC0415

    chosen = read_formats(formats, FORMATS)
    try:
        document, samples = load_report(folder)
    except JournalError as error:
        raise Refused(f"{folder}: {error}") from error
    try:
        written = write_all(document, samples, folder, chosen)
    except OSError as error:
        raise Refused(f"{folder}: the reports cannot be written ({error.strerror})") from error
    answer(document, *map(str, written))

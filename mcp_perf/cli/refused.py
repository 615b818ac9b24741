"""What the commands share: a refusal, the formats of reports, earlier runs as they are named."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from mcp_perf.results.document.run_numbers import RunNumbers

FOLDER: Final = click.Path(path_type=Path)
FORMATS: Final = ("html", "json", "md", "csv", "junit")
formats_option = click.option(
    "--format", "formats", default=",".join(FORMATS), show_default=True, help="Reports to write."
)


class Refused(click.ClickException):
    """What was asked for cannot be done; nothing was sent, and nothing written."""

    exit_code = 104

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say why, without a prefix."""
        say(self.message, err=True)


def say(text: str, *, err: bool = False) -> None:
    """Print what may hold words of others: names and titles in files, answers of servers."""
    from mcp_perf.results.document.text import visible  # noqa: PLC0415 -- it is for reports, too

    click.echo(visible(text), err=err)


class Unreached(Refused):
    """Nobody answered where the target was to be."""

    exit_code = 108


def read_formats(text: str) -> tuple[str, ...]:
    """Read `html,json`. Raises Refused for an unknown format."""
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        what = ", ".join(unknown) or "nothing"
        raise Refused(f"--format: no format {what}; choose from {', '.join(FORMATS)}")
    return chosen


def read_base(path: Path) -> "list[RunNumbers]":
    """Read a run's folder, or a baseline. Raises Refused."""
    from mcp_perf.results.compare.baseline import BaselineError, read  # noqa: PLC0415

    if path.is_dir():
        return [read_run(path)]
    try:
        return read(path)
    except BaselineError as error:
        raise Refused(str(error)) from error


def read_run(folder: Path) -> "RunNumbers":
    """Read a run's folder. Raises Refused."""
    from mcp_perf.results.compare.baseline import of_report  # noqa: PLC0415
    from mcp_perf.results.journal.journal import JournalError  # noqa: PLC0415
    from mcp_perf.results.report.build import load_report  # noqa: PLC0415

    try:
        return of_report(load_report(folder)[0])
    except JournalError as error:
        raise Refused(f"{folder}: {error}") from error


def check(base: Path, befores: "Sequence[RunNumbers]", folder: Path, new: "RunNumbers") -> None:
    """Refuse what cannot be compared, with all that differs. Raises Refused."""
    from mcp_perf.load.prepare.baseline import refused  # noqa: PLC0415

    if lines := refused(befores, new.identity):
        raise Refused(*(f"{folder} cannot be compared with {base}: {line}" for line in lines))

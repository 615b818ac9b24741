"""Runs and baselines, as a command line names them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mcp_perf.cli.refused import Refused

if TYPE_CHECKING:
    from mcp_perf.results.document.document import Report
    from mcp_perf.results.document.run_numbers import RunNumbers
    from mcp_perf.results.journal.records import SampleRecord

FOLDER: Final = click.Path(path_type=Path)
_STORE: Final = "The URL of the database. Default: $MCP_PERF_STORE, or a file next to the runs."
store_option: Final = click.option("--store", default="", metavar="URL", help=_STORE)


@contextmanager
def history(store: str) -> Iterator[str]:
    """Yield the address of the history. Raises Refused, also for what is done with it."""
    from mcp_perf.load.prepare.history import chosen, problems  # noqa: PLC0415
    from mcp_perf.results.compare.history import HistoryError  # noqa: PLC0415

    if wrong := problems(store):
        raise Refused(wrong[0])
    try:
        yield chosen(store)
    except HistoryError as error:
        raise Refused(str(error)) from error


@contextmanager
def writing(path: object, what: str) -> Iterator[None]:
    """Refuse what cannot be written; the user should name another `what`."""
    try:
        yield
    except OSError as error:
        why = f"cannot be written ({error.strerror}); name another {what}"
        raise Refused(f"{path} {why}") from None


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

    return of_report(read_report(folder)[0])


def read_report(folder: Path) -> "tuple[Report, list[SampleRecord]]":
    """Make the report of a run's folder; return it with the calls kept whole. Raises Refused."""
    from mcp_perf.results.journal.journal import JournalError  # noqa: PLC0415
    from mcp_perf.results.report.build import load_report  # noqa: PLC0415

    try:
        return load_report(folder)
    except JournalError as error:
        raise Refused(f"{folder}: {error}") from error


def check(base: Path, befores: "Sequence[RunNumbers]", folder: Path, new: "RunNumbers") -> None:
    """Refuse what cannot be compared, with all that differs. Raises Refused."""
    from mcp_perf.load.prepare.baseline import refused  # noqa: PLC0415

    if lines := refused(befores, new.identity):
        raise Refused(*(f"{folder} cannot be compared with {base}: {line}" for line in lines))

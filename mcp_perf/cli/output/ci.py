"""A step of a CI job: plain text in one stream, a summary on the job's page, annotations on GitHub.

What a run prints holds names and errors that a server chose, and GitHub obeys every line that
looks like a command. So commands are stopped, under a word that nobody can guess, before the first
line and until the last; only then come the annotations, which are ours.
"""

import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from mcp_perf.load.hub.redaction import clean
from mcp_perf.results.render.console import annotations, job_summary
from mcp_perf.results.render.console.annotations import Annotation


class Job:
    """What this step leaves on the page of its job."""

    style: Mapping[str, Any] = MappingProxyType({"force_terminal": False, "no_color": True})
    """For rich's consoles: FORCE_COLOR and the like ask for a terminal even if there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.on_github = environ.get("GITHUB_ACTIONS") == "true"
        self.errors = Errors()
        self.annotations: list[Annotation] = []
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._pid = os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the step's own process, not a worker that was forked meanwhile."""
        return os.getpid() == self._pid

    def tell(self, sections: Sequence[str], found: Sequence[Annotation]) -> None:
        self.annotations += found
        if self._summary:
            try:
                self._append(Path(self._summary), sections)
            except OSError as error:
                click.echo(f"The job's summary {self._summary} cannot be written: {error.strerror}")

    def conclude(self, exit_code: int) -> None:
        """If there was no report, say why, by the errors that were logged."""
        if self.is_here and not self.annotations:
            self.refuse(exit_code, self.errors.lines or ["The output of this step says why."])

    def refuse(self, exit_code: int, lines: Sequence[str]) -> None:
        summary = job_summary.refusal(exit_code, lines)
        self.tell([summary], [annotations.of_refusal(exit_code, lines)])

    def command(self, *lines: str) -> None:
        """Send lines to the runner, if there is one that obeys them."""
        if self.on_github and self.is_here:
            click.echo("\n".join(lines))

    def _append(self, path: Path, sections: Sequence[str]) -> None:
        """Add to what earlier commands of the step have written. Raises OSError."""
        with path.open("ab") as file:
            room = job_summary.LIMIT_BYTES - file.tell()
            text = job_summary.fit(sections, room)
            file.write(text.encode("utf-8", "replace"))
        if not text:
            click.echo(f"The job's summary {path} is full; GitHub allows 1 MiB.")


class Errors(logging.Handler):
    """Keeps the messages of errors, without tracebacks and secrets."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(clean(record.getMessage()))


@contextlib.contextmanager
def job(environ: Mapping[str, str]) -> Iterator[Job]:
    """Send all output to stdout, in its order, so that none of it is obeyed as a command."""
    found, word = Job(environ), secrets.token_hex(16)
    logging.getLogger().addHandler(found.errors)
    try:
        with contextlib.redirect_stderr(sys.stdout):
            found.command(f"::stop-commands::{word}")
            try:
                yield found
            finally:
                found.command(f"::{word}::", *map(str, found.annotations))
    finally:
        logging.getLogger().removeHandler(found.errors)

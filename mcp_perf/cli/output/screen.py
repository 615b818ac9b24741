"""A run on the terminal: progress while it goes on, its verdict at the end."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mcp_perf import numbers
from mcp_perf.cli import answer
from mcp_perf.cli.output.ci import Errors, Job
from mcp_perf.cli.output.progress import Progress
from mcp_perf.load import headless
from mcp_perf.load.engine.run import Run
from mcp_perf.load.hub.redaction import clean
from mcp_perf.results.document.document import Report
from mcp_perf.results.judge.order import BROKEN_CODE
from mcp_perf.results.render.console import annotations
from mcp_perf.results.render.console.terminal import summary
from mcp_perf.results.render.files import markdown

logger = logging.getLogger("mcp-perf")


def run_on_screen(
    arguments: Sequence[str], formats: tuple[str, ...], job: Job | None = None
) -> int:
    """Run Locust with these arguments, as a step of this CI job if any; return the exit code."""
    screen = Screen(formats, job)
    logging.getLogger().addHandler(screen.errors)
    try:
        code = headless.run(arguments, screen)
    finally:
        screen.stop()
        logging.getLogger().removeHandler(screen.errors)
    if answer.in_json() and not screen.answered and os.getpid() == screen.pid:
        answer.answer({"exit_code": code, "refused": screen.errors.lines})
    return BROKEN_CODE if screen.unwritten else code


class Screen:
    """Shows one run."""

    def __init__(self, formats: tuple[str, ...], job: Job | None) -> None:
        self.formats = formats
        self.errors = Errors()
        self.answered = False
        self.unwritten = False
        """Whether the answer could not be printed, because the disk is full."""
        self.pid = os.getpid()
        self._job = job
        self._style: Mapping[str, Any] = job.style if job else {}
        self._progress: list[Progress] = []

    def say(self, line: str) -> None:
        self._remarks().print(Text(numbers.plain(clean(line))), soft_wrap=True)

    def begun(self, run: Run) -> None:
        self._progress.append(Progress(run, self._remarks()))
        self._progress[0].start()

    def ended(self, report: Report, run: Run) -> None:
        self.stop()
        self.answered = True
        try:
            self._answer(report, run)
        except OSError as error:
            logger.error("The result cannot be printed (%s): see %s", error.strerror, run.folder)
            self.unwritten = True

    def _answer(self, report: Report, run: Run) -> None:
        if answer.in_json():
            answer.answer(report)
        else:
            summary(report, run.folder, answer.console(**self._style))
        if self._job:
            self._job.tell(markdown.sections(report), annotations.of_report(report))

    def stop(self) -> None:
        for progress in self._progress:
            progress.stop()

    def _remarks(self) -> Console:
        return answer.console(stderr=True, **self._style)

"""A run on the terminal: progress while it goes on, its verdict at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mcp_perf.cli.output.ci import PLAIN, Job
from mcp_perf.cli.output.progress import Progress
from mcp_perf.load import headless
from mcp_perf.load.engine.run import Run
from mcp_perf.load.hub.redaction import clean
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.console import annotations
from mcp_perf.results.render.console.terminal import plain, summary
from mcp_perf.results.render.files import markdown


def run_on_screen(
    arguments: Sequence[str], formats: tuple[str, ...], job: Job | None = None
) -> int:
    """Run Locust with these arguments, as a step of this CI job if any; return the exit code."""
    screen = Screen(formats, job)
    try:
        return headless.run(arguments, screen)
    finally:
        screen.stop()


class Screen:
    """Shows one run."""

    def __init__(self, formats: tuple[str, ...], job: Job | None) -> None:
        self.formats = formats
        self._job = job
        self._style: Mapping[str, Any] = PLAIN if job else {}
        self._progress: list[Progress] = []

    def say(self, line: str) -> None:
        console = Console(stderr=True, **self._style)
        console.print(Text(plain(clean(line))), soft_wrap=True)

    def begun(self, run: Run) -> None:
        self._progress.append(Progress(run, Console(stderr=True, **self._style)))
        self._progress[0].start()

    def ended(self, report: Report, run: Run) -> None:
        self.stop()
        summary(report, run.folder, Console(**self._style))
        if self._job:
            self._job.tell(markdown.sections(report), annotations.of_report(report))

    def stop(self) -> None:
        for progress in self._progress:
            progress.stop()

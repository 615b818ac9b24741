"""A run in the terminal: Locust's own main, with our progress instead of its tables."""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

import locust.main
import locust.stats
from rich.console import Console

from mcp_perf import folders
from mcp_perf.cli.ci import PLAIN, Job
from mcp_perf.cli.progress import Progress
from mcp_perf.load import start
from mcp_perf.load.engine.lifecycle import OWN_FAULT, Session
from mcp_perf.load.engine.run import Run
from mcp_perf.results.document.document import Report
from mcp_perf.results.render.console import annotations
from mcp_perf.results.render.console.terminal import summary
from mcp_perf.results.render.files import markdown

logger = logging.getLogger("mcp-perf")
_LOOPBACK: Final = "127.0.0.1"


def run(arguments: Sequence[str], formats: tuple[str, ...], job: Job | None = None) -> int:
    """Run Locust with these arguments, as a step of this CI job if any; return the exit code."""
    _quieten()
    shown: list[Progress] = []
    told: list[Report] = []
    here = os.getpid()
    plain = PLAIN if job else {}
    errors = Console(stderr=True, **plain)

    def watch(run_: Run) -> None:
        shown.append(Progress(run_, errors))
        shown[0].start()

    def tell(report: Report, run_: Run) -> None:
        for progress in shown:
            progress.stop()
        told.append(report)
        summary(report, run_.folder, Console(**plain))
        if job:
            job.tell(markdown.sections(report), annotations.of_report(report))

    def prepare(session: Session) -> None:
        session.formats = formats
        session.on_run = watch
        session.on_report = tell

    start.Hook.on_session = prepare
    sys.argv = [
        "locust",
        "-f",
        str(folders.shipped("locustfiles") / "scenario.py"),
        "--headless",
        "--only-summary",
        "--skip-log-setup",
        *(_meeting_point() if "--processes" in arguments else ()),
        *arguments,
    ]
    try:
        code = _main()
    finally:
        for progress in shown:
            progress.stop()
    if code or told or os.getpid() != here:  # a worker that was forked reports to its master
        return code
    logger.error("The run ended without a report: what ran in this process has ended it")
    return OWN_FAULT


def _main() -> int:
    """Run Locust's own main; return its exit code."""
    try:
        locust.main.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def _meeting_point() -> list[str]:
    """Let this run's processes meet at a free port of this machine alone.

    At Locust's own port they would join another run that is going on, and both would be lost.
    """
    with socket.create_server((_LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])
    here = ["--master-bind-host", _LOOPBACK, "--master-bind-port", port]
    return [*here, "--master-host", _LOOPBACK, "--master-port", port]


def _quieten() -> None:
    """Keep Locust's tables and its chatter off the terminal; run.log has the latter."""
    for name in ("print_stats", "print_percentile_stats", "print_error_report"):
        setattr(locust.stats, name, _print_nothing)
    logging.getLogger().setLevel(logging.INFO)
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(console)


def _print_nothing(*_args: Any, **_kwargs: Any) -> None:
    pass

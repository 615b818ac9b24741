"""A run without a page: Locust's own main, with an observer instead of its tables."""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Final, Protocol

import locust.main
import locust.stats

from mcp_perf import folders
from mcp_perf.load import start
from mcp_perf.load.engine.lifecycle import OWN_FAULT, Session
from mcp_perf.load.engine.run import Run
from mcp_perf.results.document.document import Report

logger = logging.getLogger("mcp-perf")
_LOOPBACK: Final = "127.0.0.1"


class Observer(Protocol):
    """Who follows the run."""

    def begun(self, run: Run) -> None:
        """Hear of the run, before its first call."""

    def ended(self, report: Report, run: Run) -> None: ...


def run(arguments: Sequence[str], formats: tuple[str, ...], observer: Observer) -> int:
    """Run Locust with these arguments; return the exit code."""
    _quieten()
    reported: list[Report] = []
    here = os.getpid()

    def tell(report: Report, run_: Run) -> None:
        reported.append(report)
        observer.ended(report, run_)

    def prepare(session: Session) -> None:
        session.formats = formats
        session.on_run = observer.begun
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
    code = _main()
    if code or reported or os.getpid() != here:  # a worker that was forked reports to its master
        return code
    logger.error("The run ended without a report: what ran in this process has ended it")
    return OWN_FAULT


def _main() -> int:
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
        setattr(locust.stats, name, lambda *_args, **_kwargs: None)
    logging.getLogger().setLevel(logging.INFO)
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(console)

"""Runs Locust's own main, with an observer instead of its tables, or with its web page."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import locust
import locust.main
import locust.stats

from mcp_perf import folders
from mcp_perf.load.hub.locust_log import told_by_us
from mcp_perf.load.lifecycle.keeping import RunObserver
from mcp_perf.load.prepare import config_files
from mcp_perf.load.targets.refusal import CONFIGURATION
from mcp_perf.results.judge.order import BROKEN_CODE
from mcp_perf.settings import current

logger = logging.getLogger("mcp-perf")
_LOCUSTFILE: Final = str(folders.shipped("locustfiles") / "scenario.py")
_LOOPBACK: Final = "127.0.0.1"
_MISUSED: Final = 2
"""The exit code of argparse if an option is wrong."""


def run(arguments: Sequence[str], observer: RunObserver) -> int:
    """Run Locust with these arguments; return the exit code."""
    _quieten()
    config_files.ignore()
    here = os.getpid()
    attended: list[Any] = []

    def attend(environment: Any, **_kwargs: Any) -> None:
        environment.mcp_perf_observer = observer
        attended.append(environment)

    own = ["-f", _LOCUSTFILE, "--headless", "--only-summary", "--skip-log-setup"]
    meet = _meeting_point() if "--processes" in arguments else ()
    locust.events.init.add_listener(attend)
    try:
        code = _main(["locust", *own, *meet, *arguments])
    finally:
        locust.events.init.remove_listener(attend)
    # A forked worker has no report: its master writes it.
    if code or os.getpid() != here or any(one.mcp_perf.keeping.report for one in attended):
        return code
    logger.error("The run ended without a report, because code in this process ended it")
    return BROKEN_CODE


def serve(arguments: Sequence[str], opened: Callable[[str], None]) -> int:
    """Serve Locust's web page until it ends; return the exit code. `opened` gets its address."""
    config_files.ignore()
    locust.events.init.add_listener(
        lambda environment, **_kwargs: setattr(environment, "mcp_perf_opened", opened)
    )
    return _main(["locust", "-f", _LOCUSTFILE, *arguments])


def _main(argv: list[str]) -> int:
    """Run Locust's main, which reads its arguments from nothing but sys.argv."""
    before, sys.argv = sys.argv, argv
    try:
        locust.main.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
        return CONFIGURATION if code == _MISUSED else code
    finally:
        sys.argv = before
    return 0


def _meeting_point() -> list[str]:
    """Connect this run's processes at a free port: at Locust's usual one they may join another."""
    with socket.create_server((_LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])
    here = ["--master-bind-host", _LOOPBACK, "--master-bind-port", port]
    return [*here, "--master-host", _LOOPBACK, "--master-port", port]


def _quieten() -> None:
    """Keep Locust's tables and chatter off the terminal. The chatter still goes to run.log."""
    for name in ("print_stats", "print_percentile_stats", "print_error_report"):
        setattr(locust.stats, name, lambda *_args, **_kwargs: None)
    logging.getLogger().setLevel(current().log_level)
    console = logging.StreamHandler()
    console.setLevel(logging.WARNING)
    console.addFilter(told_by_us())
    console.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger().addHandler(console)

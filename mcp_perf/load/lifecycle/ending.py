"""What follows a run, or a refused one: the process leaves, or it stays."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import psutil
from locust.exception import StopTest

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.results.judge.order import BROKEN_CODE
from mcp_perf.settings import SettingsError

logger = logging.getLogger("mcp-perf")


class Headless:
    """When the run is over, the process leaves."""

    stays = False

    def __init__(self, environment: Any) -> None:
        self.leave = environment.runner.quit

    def run_over(self, *, interrupted: bool) -> None:  # noqa: ARG002 -- it leaves in either case
        self.leave()


class WebPage:
    """Between runs the page stays open, until --autoquit or a signal ends it."""

    stays = True

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def run_over(self, *, interrupted: bool) -> None:
        """Stop the test, and keep the page open as long as --autoquit allows."""
        if not interrupted:
            self._environment.runner.stop()
            options = self._environment.parsed_options
            if not options.autostart or options.autoquit == -1:
                return
            gevent.sleep(options.autoquit)
        self.leave()

    def leave(self) -> None:
        self._environment.runner.quit()
        self._environment.web_ui.stop()


Ending = Headless | WebPage


@contextlib.contextmanager
def exit_on_refusal() -> Iterator[None]:
    """On a refusal within, end this process and the workers that --processes forked."""
    try:
        yield
    except (Refusal, SettingsError) as error:
        _say(error if isinstance(error, Refusal) else Refusal(error.message))
        end_children()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit):
        end_children()
        raise


def end_children() -> None:
    """End the workers that --processes forked: Locust 2.47 loses track of running ones."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            child.terminate()


@contextlib.contextmanager
def stop_on_refusal(environment: Any, give_up: Callable[[int], None]) -> Iterator[None]:
    """Stop a test before its users start, and set its exit code, on a refusal or our own fault."""
    try:
        yield
    except Exception as error:
        code = BROKEN_CODE
        if isinstance(error, Refusal):
            _say(error)
            code = error.exit_code
        else:
            logger.exception("The run could not begin, because of a fault in mcp-perf")
        environment.process_exit_code = code
        give_up(code)
        hub = gevent.get_hub()
        if StopTest not in hub.NOT_ERROR:  # the reason has been logged, so no traceback follows
            hub.NOT_ERROR = (*hub.NOT_ERROR, StopTest)
        raise StopTest from error


def _say(refusal: Refusal) -> None:
    for line in refusal.lines:
        logger.error("%s", line)

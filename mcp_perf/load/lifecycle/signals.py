"""Ctrl-C and SIGTERM: the first ends the run after the calls in flight, the second cuts them off.

Further ones end the process; while reports are being written, only after the third.
"""

import logging
import signal
from dataclasses import dataclass
from typing import Any, Final

import gevent

from mcp_perf import interrupt
from mcp_perf.load.engine.run import Run
from mcp_perf.load.lifecycle.ending import end_children
from mcp_perf.load.lifecycle.keeping import KeepingSide
from mcp_perf.results.judge.order import SIGNAL_CODE

_PATIENCE: Final = 3
"""Signals after which we no longer insist on writing the reports."""

logger = logging.getLogger("mcp-perf")


@dataclass(eq=False)
class Signals:
    """Counts the signals since a run began, in the process that keeps the run."""

    keeping: KeepingSide
    _count: int = 0

    def catch(self) -> None:
        """Take the signals over from Locust, and count anew."""
        self._count = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, _number: int, _frame: Any) -> None:
        self._count += 1
        self.keeping.environment.process_exit_code = SIGNAL_CODE
        if self.keeping.run is not None:
            gevent.spawn(self._interrupt, self.keeping.run)
        elif not self.keeping.written.is_set():
            if self._count > _PATIENCE:
                interrupt.leave()
        elif self.keeping.ending.stays and self.keeping.last_folder is not None:
            gevent.spawn(self.keeping.ending.leave)  # the page is idle after a run
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            gevent.spawn(self._leave)

    def _leave(self) -> None:
        """Leave before a run has begun, when Locust's main may not wait for its runner yet."""
        interrupt.say()
        self.keeping.quit()
        end_children()
        raise SystemExit(SIGNAL_CODE)

    def _interrupt(self, run: Run) -> None:
        run.interrupted = True
        if self.keeping.conducting is None:
            run.conductor.stop("signal")
            self.keeping.ending.leave()
            return
        hard = self._count > 1
        calm = "Stopping after the calls in flight (again to cut them off)."
        logger.warning("Stopping now; calls in flight are cut off." if hard else calm)
        run.conductor.stop("signal", hard=hard)

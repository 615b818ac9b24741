"""THE locustfile: `locust -f locustfiles` runs any scenario of this suite.

The way of one call: scenario/loader -> load/plan (when) -> load/engine/user -> load/steps (what) ->
client/mcp (message) -> client/http (bytes) -> load/steps/recorder -> results/journal ->
results/tally -> results/judge -> results/report -> results/render; all below `mcp_perf/`.

| Locust says                | we                                                              |
|----------------------------|-----------------------------------------------------------------|
| init_command_line_parser   | add our options                                                 |
| init                       | prepare the run, or refuse it with its exit code                |
| test_start                 | open the journal, lay out the turns, compile the journeys       |
| (a user starts)            | open its sessions                                               |
| spawning_complete          | give the turns to the arms, one after the other                 |
| (a user's task)            | walk journeys on the arm whose turn it is                       |
| (a user stops)             | close its sessions                                              |
| test_stopping              | end the turn, let its last calls end                            |
| test_stop, quitting        | write the reports, stop the systems, set the exit code          |
"""

# ruff: noqa: E402 -- Ctrl-C is answered before the rest is imported, which takes a moment

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

# Locust puts the current folder first. Nothing is imported from there: it may be somebody else's.
if str(Path.cwd()) in sys.path:
    sys.path.remove(str(Path.cwd()))
if importlib.util.find_spec("mcp_perf") is None:  # started from a checkout, and not installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mcp_perf import interrupt

interrupt.before_locust()

from locust import User, events, task
from locust.exception import StopUser

from mcp_perf.load import start
from mcp_perf.load.hub import locust_log
from mcp_perf.load.lifecycle import nodes
from mcp_perf.load.prepare import options
from mcp_perf.load.steps.step import Interrupted
from mcp_perf.load.targets.personal import NoneLeft
from mcp_perf.load.web import statistics

__all__ = ["ScenarioUser"]

logger = logging.getLogger("mcp-perf")
locust_log.hush()
statistics.sharpen()
nodes.lock()


class ScenarioUser(User):
    """One virtual user of the chosen scenario, at work on the arm whose turn it is."""

    def on_start(self) -> None:
        """Open a session with every arm."""
        self.pool: Any = self.environment.mcp_perf.working.pool
        self.context: Any = None
        try:
            self.context = self.pool.add()
        except NoneLeft as error:
            logger.error("%s", error)
            return
        self.context.open()

    def on_stop(self) -> None:
        """Close the sessions."""
        if self.context is not None:
            self.pool.remove(self.context)

    @task
    def take_part(self) -> None:
        """Take part in one turn."""
        if self.context is None:
            raise StopUser
        try:
            self.pool.take_part(self.context)
        except Interrupted:
            return  # the turn ended between two calls


@events.init_command_line_parser.add_listener
def _arguments(parser: Any, **_kwargs: Any) -> None:
    options.add(parser)


@events.init.add_listener
def _init(environment: Any, web_ui: Any, **_kwargs: Any) -> None:
    role = environment.mcp_perf = start.init(environment, web_ui)
    # Of Locust's events, this one alone does not say to which environment it belongs.
    environment.events.spawning_complete.add_listener(lambda **_kwargs: role.spawning_complete())


@events.test_start.add_listener
def _test_start(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_start()


@events.test_stopping.add_listener
def _test_stopping(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_stopping()


@events.test_stop.add_listener
def _test_stop(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_stop()


@events.quitting.add_listener
def _quitting(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.quitting()

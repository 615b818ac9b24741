"""THE locustfile: `locust -f locustfiles` runs any scenario of this suite.

The way of one call: scenarios/loader -> _schedule (when) -> _users -> _steps (what) ->
mcp_perf/client (bytes) -> _recorder -> reports/journal -> statistics -> verdict -> render.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:  # started from another folder, and not installed
    sys.path.insert(0, ROOT)

from locust import events  # noqa: E402

from mcp_perf.load import start  # noqa: E402
from mcp_perf.load.engine.locust_user import ScenarioUser  # noqa: E402
from mcp_perf.load.prepare import options  # noqa: E402
from mcp_perf.load.web import statistics  # noqa: E402

__all__ = ["ScenarioUser"]

statistics.sharpen()


@events.init_command_line_parser.add_listener
def _arguments(parser: Any, **_kwargs: Any) -> None:
    options.add(parser)


@events.init.add_listener
def _init(environment: Any, web_ui: Any, **_kwargs: Any) -> None:
    start.init(environment, web_ui)


@events.test_start.add_listener
def _test_start(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_start()


@events.spawning_complete.add_listener
def _spawning_complete(**_kwargs: Any) -> None:
    start.current().spawning_complete()


@events.test_stopping.add_listener
def _test_stopping(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_stopping()


@events.test_stop.add_listener
def _test_stop(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.test_stop()


@events.quitting.add_listener
def _quitting(environment: Any, **_kwargs: Any) -> None:
    environment.mcp_perf.quitting()

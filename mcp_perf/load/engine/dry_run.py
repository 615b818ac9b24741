"""Every journey once on each arm, with requests and answers: no load, and no report."""

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from mcp_perf.load.engine.call_log import LoggedCall, LoggedRecorder
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.prepare.permission import User
from mcp_perf.load.prepare.prepare import RunOptions, prepare
from mcp_perf.load.prepare.relay import local
from mcp_perf.outcomes import OK


def dry_run(options: RunOptions, user: User, show: Callable[[LoggedCall], None]) -> bool:
    """Walk all journeys as one user; return whether all of them were ok. Raises Refusal."""
    recorder = LoggedRecorder("local", lambda _records: None, log=show)
    with tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        prepared = prepare(replace(options, users=1, out=folder), user)
        scenario = prepared.loaded.scenario
        # With equal weights, each journey comes once.
        journeys = scenario.journeys.items()
        even = {name: one.model_copy(update={"weight": 1.0}) for name, one in journeys}
        once = replace(prepared.loaded, scenario=scenario.model_copy(update={"journeys": even}))
        task = replace(local(prepared), loaded=once)
        with prepared.systems, closing(UserPool(task, recorder, lambda **_event: None)) as pool:
            only = pool.add()
            only.open()
            walks = [walk for walk in only.walks.values() for _ in even]
            return {walk.journey() for walk in walks} == {OK}

"""Rivals: Locust's FastHttpUser and HttpUser, which post the same bytes as our client.

The reply is not even parsed. RIVAL_USER selects one of the two; CPU and calls between start and end
go to the file in RIVAL_RESULT.
"""

import json
import os
import time
from pathlib import Path

from locust import FastHttpUser, HttpUser, events, task

from mcp_perf.client.protocol import versions

ADDRESS = os.environ["RIVAL_URL"]
PARAMS = {"name": "echo", "arguments": {"message": "hello"}}
HEADERS = dict(versions.modern_headers("tools/call", PARAMS))
TAIL = versions.encode_tail("tools/call", versions.modern_params(PARAMS, {}, {}))
BODY = versions.encode_message(7, TAIL)
start = {}


class Poster(FastHttpUser if os.environ["RIVAL_USER"] == "Fast" else HttpUser):
    """Posts one tools/call after the other."""

    host = ADDRESS.removesuffix("/mcp")

    @task
    def post(self) -> None:
        """Post it."""
        self.client.post("/mcp", data=BODY, headers=HEADERS)


@events.spawning_complete.add_listener
def _begin(**_kwargs: object) -> None:
    start.update(cpu_s=time.process_time(), at=time.perf_counter())


@events.test_stopping.add_listener
def _end(environment, **_kwargs: object) -> None:
    total = environment.stats.total
    result = {"calls": total.num_requests, "cpu_s": time.process_time() - start["cpu_s"]}
    assert total.num_failures == 0
    Path(os.environ["RIVAL_RESULT"]).write_text(json.dumps(result))

"""Whole runs of users who listen and who cancel, in both eras of one server."""

import json

import pytest

pytestmark = pytest.mark.load

SCENARIO = """
name: listening
title: Users who listen, and users who cancel
arms:
  legacy: {{mcp: "{url}", protocol: 2025-11-25}}
  modern: {{mcp: "{url}", protocol: 2026-07-28}}
journeys:
  watch:
    steps:
      - {{listen: tools}}
      - {{subscribe: "echo://${{user}}"}}
      - {{call: touch, arguments: {{uri: "echo://${{user}}"}}}}
      - await: {{notification: resources/updated, uri: "echo://${{user}}"}}
      - {{call: announce, arguments: {{list: tools}}}}
      - {{wait: 100ms}}
      - {{await: {{notification: tools/list_changed}}, name: "list changed"}}
  storm:
    steps:
      - {{call: sleep, arguments: {{ms: 60000}}, cancel_after: 10ms}}
load: {{users: 3}}
gates: ["legacy.cancel_stop_p50 < 1s", "modern.cancel_stop_p50 < 1s"]
"""


def test_notifications_and_ends_of_calls_have_their_times(
    start_system, run_cli, quick, report, until, tmp_path
):
    """In both eras; when the run is over, no streams are left at the server."""
    echo = start_system()
    path = tmp_path / "listening.yaml"
    path.write_text(SCENARIO.format(url=echo.url))
    long = ("--set", "load.round=1s")  # enough for some journeys of each kind
    ended = run_cli("run", path, "--out", tmp_path / "out", *quick, *long)
    assert ended.code == 90, ended.output
    found = report(tmp_path / "out")
    legacy, modern = found["arms"]["legacy"], found["arms"]["modern"]
    for arm in (legacy, modern):
        assert arm["error_rate"] == 0
        assert arm["classes"]["ok"] == arm["calls"] > 0
        assert arm["classes"]["harness_error"] == 0
        touched, told = arm["steps"]["tools/call touch"], arm["steps"]["await resources/updated"]
        assert touched["count"] == told["count"] > 0
        assert told["latency_ms"]["mean"] > 0
        # From the change, not from the wait: a pause between the two does not count.
        assert arm["steps"]["list changed"]["latency_ms"]["p50"] < 100
    listened = [arm["steps"].get("listen tools", {"count": 0})["count"] for arm in (legacy, modern)]
    assert listened[0] <= 3 < listened[1]
    assert legacy["setup"]["resources/unsubscribe"]["count"] > 0
    stops = legacy["steps"]["tools/call sleep"]["count"]
    assert legacy["cancel_stop_ms"]["p50"] > 0
    assert legacy["cancel_stops_unmeasured"] < stops
    assert modern["cancel_stop_ms"]["p50"] is None
    assert "2025-11-25 or older" in json.dumps(found["gates"])
    counters = echo.get("/_counters")
    assert counters["cancelled"] > stops
    until(lambda: echo.get("/_counters")["streams_open"] == 0, "streams outlive the run", 120)
    assert echo.get("/_counters")["running"] == 0

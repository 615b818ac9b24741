"""The business tools with a Redis, which several servers share; and their alerts."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import time

import pytest
import yaml

from mcp_targets.business_tools.errors import Limited
from mcp_targets.business_tools.resilience.cache import Answers
from mcp_targets.business_tools.resilience.limits import RateLimit, RateLimiter
from mcp_targets.business_tools.system import BusinessTools, Sources
from mcp_targets.business_tools.telemetry import Metrics
from tests.support import ROOT
from tests.support.waiting import free_port

ALERTS = ROOT / "mcp_targets" / "business_tools" / "alerts.yml"


def of_debian(program, package):
    """Return a program's path; without it, skip the test, except in CI."""
    if (found := shutil.which(program)) is None:
        assert "CI" not in os.environ, f"install {package}: CI has to test with it"
        pytest.skip(f"{package} is not installed")
    return found


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """Start a Redis; return its address and a function that stops it."""
    program = of_debian("redis-server", "redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        yield f"redis://127.0.0.1:{port}", server
        server.terminate()


async def until(good):
    """Wait until something is true."""
    deadline = time.monotonic() + 20
    while not await good():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.database
def test_servers_share_answers_and_limits_until_the_redis_is_gone(redis):
    """Then each works without it: nothing is cached, nothing is limited, and nothing fails."""
    url, server = redis

    async def ask():
        return {"text": ["é", 1]}

    async def main():
        caches = [Answers(url) for _ in range(2)]
        await until(caches[0].ping)
        assert await caches[0].get("k", 60, ask) == ({"text": ["é", 1]}, False)
        assert await caches[1].get("k", 60, ask) == ({"text": ["é", 1]}, True)
        limiters = [RateLimiter("RATE_LIMITED", url) for _ in range(2)]
        limits = [RateLimit(requests=7, per_s=60)]
        waits = []
        for number in range(20):
            try:
                await limiters[number % 2].admit("shop", limits)
            except Limited as limited:
                waits.append(limited.retry_after_s)
        assert len(waits) == 13
        assert 0 < min(waits) <= max(waits) <= 60
        server.terminate()
        server.wait()
        assert not await caches[0].ping()
        assert await caches[0].get("k", 60, ask) == ({"text": ["é", 1]}, False)
        await limiters[0].admit("shop", limits)
        assert limiters[0].unknown == 1
        for kept in (*caches, *limiters):
            await kept.close()

    asyncio.run(main())


def test_alerts_ask_for_metrics_that_there_are():
    """With their names and labels."""
    metrics = Metrics()
    metrics.calls.labels("web_search", "error").inc()
    metrics.latency.labels("web_search").observe(0.1)
    metrics.connections.labels("twilio").set(1)
    metrics.circuits.labels("twilio").set(0)
    said = metrics.text().decode()
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        for name in re.findall(r"mcp_\w+", rule["expr"]):
            assert f"{name}{{" in said
    assert 'mcp_api_calls_total{status="error",tool="web_search"} 1.0' in said


def test_a_server_without_a_call_is_not_gone():
    """The metric that the alert uses exists from the start."""
    system = BusinessTools(Sources())
    system.observe()
    assert 'mcp_active_connections{service="mongodb"} 0.0' in system.metrics.text().decode()
    assert "absent(mcp_active_connections)" in ALERTS.read_text("utf-8")


FIRING = "count(ALERTS{alertname='%s',alertstate='firing'}) or vector(0)"
BUCKET = "mcp_api_latency_seconds_bucket{tool='a',le='%s'}"
WELL = {
    "mcp_api_calls_total{status='ok'}": "0+5000x20",
    "mcp_api_calls_total{status='error'}": "0+1x20",
    BUCKET % "0.2": "0+99x20",
    BUCKET % "0.3": "0+100x20",
    BUCKET % "+Inf": "0+100x20",
    "mcp_circuit_open{provider='slack'}": "0x20",
    "mcp_active_connections{service='slack'}": "80x20",
}
ILL = {
    "ToolErrors": (7, {"mcp_api_calls_total{status='error'}": "0+10x20"}),
    "ToolsSlow": (12, {BUCKET % "0.2": "0+90x20"}),
    "ProviderDown": (3, {"mcp_circuit_open{provider='slack'}": "1x20"}),
    "ConnectionsUsedUp": (2, {"mcp_active_connections{service='slack'}": "95x20"}),
    "ServerGone": (3, dict.fromkeys(WELL, "_x20")),
}
"""For each alert, the minutes after which it fires, and the series that make it fire."""


@pytest.mark.database
def test_each_alert_fires_for_what_it_is_called_after(tmp_path):
    """Tested with Prometheus's tool; without the cause it is silent."""
    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": name, "values": values} for name, values in {**WELL, **changed}.items()
            ],
            "promql_expr_test": [
                {
                    "expr": FIRING % alert,
                    "eval_time": f"{minutes}m",
                    "exp_samples": [{"value": 1 if changed else 0}],
                }
            ],
        }
        for alert, (minutes, ill) in ILL.items()
        for changed in (ill, {})
    ]
    path = tmp_path / "tests.yml"
    path.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": tests}))
    program = of_debian("promtool", "prometheus")
    done = subprocess.run([program, "test", "rules", path], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()

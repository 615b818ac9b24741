"""The business tools with a Redis: what several servers share. And their alerts."""

import asyncio
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
from mcp_targets.business_tools.telemetry import Metrics
from tests.support import ROOT
from tests.support.waiting import free_port

ALERTS = ROOT / "mcp_targets" / "business_tools" / "alerts.yml"


def of_debian(program, package):
    """Return where a program is; without it the test is left out, but in CI."""
    if (found := shutil.which(program)) is None:
        assert "CI" not in os.environ, f"install {package}: CI has to test with it"
        pytest.skip(f"{package} is not installed")
    return found


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """Start a Redis; return its address, and what stops it."""
    program = of_debian("redis-server", "redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        yield f"redis://127.0.0.1:{port}", server
        server.terminate()


async def until(good):
    """Wait until something holds."""
    deadline = time.monotonic() + 20
    while not await good():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.database
def test_servers_share_answers_and_limits_until_the_redis_is_gone(redis):
    """Then each answers without it: nothing is kept, nothing is limited, and nothing fails."""
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
    """By their names and labels."""
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


@pytest.mark.database
def test_prometheus_takes_the_alerts():
    """As its own tool finds."""
    program = of_debian("promtool", "prometheus")
    subprocess.run([program, "check", "rules", str(ALERTS)], check=True, capture_output=True)

"""A load test under pytest: `pytest examples`."""

from pathlib import Path

import pytest

from mcp_perf import assert_load

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def shop(mcp_server) -> str:
    """Start the server once; return its address."""
    return mcp_server(["python", str(HERE / "server.py"), "--port", "{port}"])


def test_four_users_are_served(shop: str) -> None:
    """The gates of the file hold, and both tools were called."""
    report = assert_load(HERE / "gate.yaml", target={"mcp": shop})
    assert set(report.arms["mcp"].steps) == {"tools/call search", "tools/call order"}

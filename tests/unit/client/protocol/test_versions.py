import pytest

from mcp_perf.client.protocol.versions import server_info

INFO = {"name": "shop", "version": "1.2.0"}


@pytest.mark.parametrize(
    ("hello", "info"),
    [
        ({"serverInfo": INFO}, INFO),
        ({"_meta": {"io.modelcontextprotocol/serverInfo": INFO}}, INFO),
        ({}, {}),
        ({"_meta": None}, {}),
        ({"_meta": []}, {}),
        ({"serverInfo": "shop"}, {}),
    ],
)
def test_a_server_introduces_itself_in_either_era(hello, info):
    """It does so in `serverInfo` up to 2025-11-25, in `_meta` in 2026-07-28."""
    assert server_info(hello) == info

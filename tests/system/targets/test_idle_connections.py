"""A connection that is idle during the turns of other arms is kept."""

from mcp_targets.dual_runtime.faces import trio_server
from mcp_targets.serving import asgi

OTHER_TURNS_S = 8 * 60
"""Eight more arms, in rounds of a minute."""


def test_no_server_closes_a_connection_during_the_turns_of_other_arms():
    """The servers' default of five seconds would end at a turn's start, and a call would fail."""
    assert asgi.configured(None).timeout_keep_alive > OTHER_TURNS_S
    assert trio_server.configured(0).keep_alive_timeout > OTHER_TURNS_S

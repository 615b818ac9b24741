"""Where a connection leads: the address in figures is looked at whenever one is opened."""

import socket

import pytest

from mcp_perf.client.errors import ConnectError
from mcp_perf.client.http import dialing
from mcp_perf.client.http.endpoint import Origin


def resolved(monkeypatch, *figures: str) -> None:
    """Let every name have these addresses."""
    places = [(socket.AF_INET6 if ":" in one else socket.AF_INET, (one, 80)) for one in figures]
    monkeypatch.setattr(dialing, "look_up", lambda _host, _port: places)


def test_a_name_is_looked_at_again_whenever_it_is_connected_to(monkeypatch):
    """A name that pointed elsewhere when it was checked leads nowhere now."""
    resolved(monkeypatch, "169.254.169.254")
    with pytest.raises(ConnectError, match=r"^rebound\.test: 169\.254\.169\.254 is link-local"):
        dialing.dial(Origin.of("http://rebound.test"), 1.0)


@pytest.mark.parametrize("written", ["169.254.169.254", "[::ffff:169.254.169.254]", "0", "0x0"])
def test_no_way_to_write_a_link_local_address_helps(written):
    """Figures, wrapped figures, and what the C library takes for figures."""
    with pytest.raises(ConnectError, match="no connection is made to it"):
        dialing.dial(Origin.of(f"http://{written}/latest/meta-data"), 1.0)


def test_what_only_a_server_named_leads_into_no_private_network(monkeypatch):
    """Then not even a name that points there is connected to."""
    resolved(monkeypatch, "10.0.0.1")
    origin = Origin("http", "inside.test", 80, only_public=True)
    with pytest.raises(ConnectError, match=r"10\.0\.0\.1 is a private address"):
        dialing.dial(origin, 1.0)


def test_the_addresses_of_a_name_are_tried_in_order(monkeypatch):
    """Nobody listens at the first; without an address there is an error in words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        places = [(socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET, ("127.0.0.1", port))]
        monkeypatch.setattr(dialing, "look_up", lambda _host, _port: places)
        dialing.dial(Origin.of("http://two.test"), 1.0).close()
    monkeypatch.setattr(dialing, "look_up", lambda _host, _port: [])
    with pytest.raises(ConnectError, match="the host has no address"):
        dialing.dial(Origin.of("http://none.test"), 1.0)

"""Which addresses no connection is made to, and which belong to the internet."""

import socket

import pytest

from mcp_perf.client.errors import ConnectError
from mcp_perf.client.http import dialing
from mcp_perf.client.http.addresses import is_public, never
from mcp_perf.client.http.endpoint import Origin

NEVER = (
    *("0.0.0.0", "0.1.2.3", "::", "169.254.0.1", "169.254.169.254", "fe80::1", "fe80::1%eth0"),
    *("febf::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16"),
    *("192.0.0.192", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "64:ff9b::a9fe:a9fe"),
    "2002:a9fe:a9fe::1",
)
OURS = (
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1"),
    *("fd00::1", "fc00::1", "192.0.2.1", "2001:db8::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", NEVER)
def test_no_connection_is_made_to_link_local_and_metadata_addresses(address):
    """However they are written; the message says the address and why."""
    assert never(address).startswith(f"{address} is ")
    assert never(address).endswith("no connection is made to it")


@pytest.mark.parametrize(
    ("address", "public"),
    [*((address, False) for address in OURS), *((address, True) for address in PUBLIC)],
)
def test_other_addresses_are_ours_or_public(address, public):
    """Loopback, private and documentation addresses are nobody else's."""
    assert (never(address), is_public(address)) == ("", public)


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

"""Which addresses no connection is made to, and which belong to the internet."""

import pytest

from mcp_perf.client.http.addresses import is_public, never

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
    """It does not matter how they are written; the message has the address and the reason."""
    assert never(address).startswith(f"{address} is ")
    assert never(address).endswith(": mcp-perf never connects to it")


@pytest.mark.parametrize(
    ("address", "public"),
    [*((address, False) for address in OURS), *((address, True) for address in PUBLIC)],
)
def test_other_addresses_are_ours_or_public(address, public):
    """Loopback, private and documentation addresses are nobody else's."""
    assert (never(address), is_public(address)) == ("", public)

"""Where a connection leads: the numeric address is checked whenever one is opened."""

import socket

import pytest

from mcp_perf.client.errors import ConnectError
from mcp_perf.client.http import dialing
from mcp_perf.client.http.endpoint import Endpoint, Origin


def resolved(monkeypatch, *figures: str) -> None:
    """Let every name have these addresses."""
    places = [(socket.AF_INET6 if ":" in one else socket.AF_INET, (one, 80)) for one in figures]
    monkeypatch.setattr(dialing, "look_up", lambda _host, _port: places)


def test_a_name_is_looked_at_again_whenever_it_is_connected_to(monkeypatch):
    """A name that pointed elsewhere when it was checked now leads nowhere."""
    resolved(monkeypatch, "169.254.169.254")
    with pytest.raises(ConnectError, match=r"^rebound\.test: 169\.254\.169\.254 is link-local"):
        dialing.dial(Origin.of("http://rebound.test"), 1.0)


@pytest.mark.parametrize("written", ["169.254.169.254", "[::ffff:169.254.169.254]", "0", "0x0"])
def test_no_way_to_write_a_link_local_address_helps(written):
    """Numbers, wrapped numbers, and what the C library takes for numbers are all recognized."""
    with pytest.raises(ConnectError, match=": mcp-perf never connects to it"):
        dialing.dial(Origin.of(f"http://{written}/latest/meta-data"), 1.0)


def test_what_only_a_server_named_leads_into_no_private_network(monkeypatch):
    """Even a name that points into one is not connected to."""
    resolved(monkeypatch, "10.0.0.1")
    origin = Origin("http", "inside.test", 80, only_public=True)
    with pytest.raises(ConnectError, match=r"10\.0\.0\.1 is private"):
        dialing.dial(origin, 1.0)


def test_the_addresses_of_a_name_are_tried_in_order(monkeypatch):
    """Nobody listens at the first one; without any address there is an error in words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        places = [(socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET, ("127.0.0.1", port))]
        monkeypatch.setattr(dialing, "look_up", lambda _host, _port: places)
        dialing.dial(Origin.of("http://two.test"), 1.0).close()
    monkeypatch.setattr(dialing, "look_up", lambda _host, _port: [])
    with pytest.raises(ConnectError, match="the host has no address"):
        dialing.dial(Origin.of("http://none.test"), 1.0)


class Tls:
    """Stands for TLS: notes which name is asked for, and leaves the bytes alone."""

    def wrap_socket(self, plain, *, server_hostname):
        self.name = server_hostname
        return plain


def proxied(proxy: str, host: str = "inside.test", **options) -> Origin:
    """Return an origin behind a proxy."""
    return Origin("https", host, 8443, Tls(), proxy=Origin.of(proxy), **options)


def test_a_proxy_opens_the_way_and_is_alone_to_get_its_login(serve):
    """By RFC 9110, section 9.3.6, the bytes after any 2xx are the target's."""
    server = serve(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n", b"hello")
    origin = proxied(server.url, called="mcp.internal", login="Basic abc")
    with dialing.dial(origin, 5.0) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert opened.recv(5) == b"hello"
    asked = server.requests[0].decode()
    assert asked.startswith("CONNECT inside.test:8443 HTTP/1.1\r\nHost: inside.test:8443\r\n")
    assert "Proxy-Authorization: Basic abc\r\n" in asked
    assert b"Basic abc" not in server.requests[1]
    assert origin.tls.name == "mcp.internal"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Login wanted\r\n\r\n", "HTTP/1.1 407 Login wanted .*Proxy-Auth"),
        (
            b"HTTP/1.1 503 Unreachable\r\n\r\n",
            r"refuses to connect to inside\.test:8443: HTTP/1.1 503",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000, "refuses to connect to"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "SSH-2.0-OpenSSH"),
        (None, "it closed the connection"),
        (b"", "no connection"),
    ],
)
def test_a_proxy_that_opens_no_way_is_named_with_what_it_says(serve, answer, says):
    """The target has not failed."""
    server = serve(answer)
    with pytest.raises(ConnectError, match=says) as refused:
        dialing.dial(proxied(server.url), 0.2)
    assert str(refused.value).startswith("the proxy 127.0.0.1:")


@pytest.mark.parametrize("host", ["169.254.169.254", "0", "::ffff:169.254.169.254", "cloud.test"])
def test_no_proxy_is_asked_for_a_link_local_address(serve, monkeypatch, host):
    """A proxy is not asked for a name that leads there either, if it can be resolved here."""
    known = dialing.look_up
    figures = [(socket.AF_INET, ("169.254.169.254", 80))]
    monkeypatch.setattr(
        dialing, "look_up", lambda name, port: figures if ".test" in name else known(name, port)
    )
    server = serve()
    with pytest.raises(ConnectError, match=": mcp-perf never connects to it"):
        dialing.dial(proxied(server.url, host), 1.0)
    assert server.connections == 0
    with pytest.raises(ConnectError, match=": mcp-perf never connects to it"):
        dialing.dial(proxied("http://169.254.169.254:3128"), 1.0)


def test_a_name_that_only_the_proxy_knows_is_asked_of_it(serve, monkeypatch):
    """If only a server named it, it has to be known here, and public."""
    known = dialing.look_up

    def look_up(name, port):
        if name == "inside.test":
            raise socket.gaierror(-2, "Name or service not known")
        return known(name, port)

    monkeypatch.setattr(dialing, "look_up", look_up)
    server = serve(b"HTTP/1.1 200 OK\r\n\r\n")
    dialing.dial(proxied(server.url), 5.0).close()
    with pytest.raises(ConnectError, match="Name or service not known"):
        dialing.dial(proxied(server.url, only_public=True), 5.0)
    assert server.connections == 1


def test_a_proxy_gets_whole_addresses_of_http():
    """It gets the absolute form (RFC 9112, section 3.2.2), and its own login."""
    login = {"Proxy-Authorization": "Basic abc", "X": "y"}
    endpoint = Endpoint.of("http://a.test:81/mcp?q=1", headers=login, proxy="http://p.test:3128")
    assert endpoint.line("POST", endpoint.target) == (
        b"POST http://a.test:81/mcp?q=1 HTTP/1.1\r\nHost: a.test:81\r\n"
        b"proxy-authorization: Basic abc\r\n"
    )
    assert b"abc" not in endpoint.fields([])
    secure = Endpoint.of("https://a.test/mcp", headers=login, proxy="http://p.test:3128")
    assert secure.line("POST", secure.target) == b"POST /mcp HTTP/1.1\r\nHost: a.test\r\n"
    assert (secure.origin.login, secure.headers) == ("Basic abc", (("X", "y"),))
    assert "abc" not in repr(secure.origin)


@pytest.mark.parametrize("wrong", [{"host": "b"}, {"personal": ["Proxy-Authorization"]}])
def test_what_a_proxy_would_not_do_is_refused(wrong):
    """By RFC 9110 it writes Host anew; values that differ by user go to the target."""
    with pytest.raises(ValueError, match="a proxy needs the same address and login for all users:"):
        Endpoint.of("http://a.test", proxy="http://p.test:3128", **wrong)


def test_a_socket_file_that_is_not_there_is_named():
    """The message names the file, not its host; a file has neither a port nor a proxy."""
    with pytest.raises(ConnectError, match=r"^/nowhere/mcp\.sock: No such file"):
        dialing.dial(Origin.of("http+unix://%2Fnowhere%2Fmcp.sock/mcp"), 1.0)
    named = Endpoint.of("http+unix://%2Fa/mcp", host="mcp.internal")
    assert (named.origin.authority, named.url) == ("mcp.internal", "http://mcp.internal/mcp")
    with pytest.raises(
        ValueError, match="remove host:, the file in http, or the identity in Proxy-Authorization"
    ):
        Endpoint.of("http+unix://%2Fa/mcp", proxy="http://p.test:3128")
    with pytest.raises(ValueError, match="not an http or https address"):
        Origin.of("http+unix:///a/mcp")

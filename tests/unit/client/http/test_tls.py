"""TLS: certificates are verified unless the file says otherwise."""

import ssl
import subprocess
import threading
from functools import partial

import pytest

from mcp_perf.client.errors import ConnectError
from mcp_perf.client.http.endpoint import Endpoint, secured
from mcp_perf.client.http.rest import RestClient, encode_fields, encode_line

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def certificate(tmp_path_factory, _processes) -> str:
    """Make a certificate and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:mcp.internal"),
            *("-keyout", str(path), "-out", f"{path}.crt"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + (path.parent / "both.pem.crt").read_text())
    return str(path)


@pytest.fixture(params=[False])
def tls_url(certificate, request):
    """Serve over TLS; give the address. With a true parameter, clients need a certificate."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if request.param:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{certificate}.crt")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
                with context.wrap_socket(peer, server_side=True) as secure:
                    while secure.recv(65536):
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def call(endpoint: Endpoint) -> bytes:
    """Call three times over one connection; return the body."""
    rest = RestClient(endpoint)
    head = encode_line(endpoint, "GET", "/") + encode_fields(endpoint, [])
    bodies = {rest.send(head + b"\r\n").body for _ in range(3)}
    assert rest.connection.opened == 1
    rest.close()
    return bodies.pop()


def test_an_untrusted_certificate_is_refused_by_default(tls_url) -> None:
    """By default, nothing is sent to a server that cannot prove its name."""
    with pytest.raises(ConnectError, match="certificate not trusted"):
        RestClient(Endpoint.of(tls_url)).ready()


def test_a_certificate_of_ones_own_authority_is_accepted(tls_url, certificate) -> None:
    """`ca` names the authority to trust; the connection is kept alive as any other."""
    assert call(Endpoint.of(tls_url, tls=partial(secured, ca=certificate))) == b"hi"


def test_verification_can_be_switched_off(tls_url) -> None:
    """`verify: false` takes any certificate."""
    assert call(Endpoint.of(tls_url, tls=partial(secured, verify=False))) == b"hi"


def test_a_missing_authority_file_is_a_configuration_mistake(tls_url) -> None:
    """A `ca` that cannot be read is named before anything is sent."""
    with pytest.raises(ValueError, match=r"nowhere\.pem"):
        Endpoint.of(tls_url, tls=partial(secured, ca="nowhere.pem"))


def test_the_certificate_has_to_name_the_host_that_is_asked_for(tls_url, certificate) -> None:
    """`host` of an arm is the name in TLS, too, whatever the address is."""
    tls = partial(secured, ca=certificate)
    assert call(Endpoint.of(tls_url, tls=tls, host="mcp.internal")) == b"hi"
    with pytest.raises(ConnectError, match=r"not valid for 'other\.internal'"):
        RestClient(Endpoint.of(tls_url, tls=tls, host="other.internal")).ready()


@pytest.mark.parametrize("tls_url", [True], indirect=True)
def test_a_server_that_wants_a_certificate_gets_ours(tls_url, certificate) -> None:
    """The key is in the certificate's file or in another; without one, the message says so."""
    for files in ({"cert": certificate}, {"cert": f"{certificate}.crt", "key": certificate}):
        tls = partial(secured, ca=certificate, **files)
        assert call(Endpoint.of(tls_url, tls=tls)) == b"hi"
    endpoint = Endpoint.of(tls_url, tls=partial(secured, ca=certificate))
    rest = RestClient(endpoint)
    head = encode_line(endpoint, "GET", "/") + encode_fields(endpoint, [])
    assert "write tls: {cert: FILE, key: FILE}" in rest.send(head + b"\r\n").detail
    rest.close()


def test_a_certificate_without_its_key_is_a_configuration_mistake(certificate) -> None:
    """The mistake is reported before anything is sent."""
    with pytest.raises(ValueError, match=r"crt cannot be used: .*the key must belong"):
        secured(cert=f"{certificate}.crt")

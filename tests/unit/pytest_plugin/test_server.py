"""The fixture `mcp_server`: a server's command becomes its address."""

import pytest

from mcp_perf.pytest_plugin.server import Servers
from tests.support.waiting import answers

pytestmark = pytest.mark.process


@pytest.fixture
def servers(tmp_path):
    """Return the object that starts servers, and leave none of them running."""
    servers = Servers(tmp_path)
    yield servers
    servers.stop()


def test_a_server_listens_when_its_address_is_returned_and_ends_with_the_rest(servers):
    """The port is a free one, and Python is the one of the tests."""
    command = ["python", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    url = servers(command, "/")
    port = int(url.removeprefix("http://127.0.0.1:").removesuffix("/"))
    assert answers(port)
    servers.stop()
    assert not answers(port)


def test_a_server_that_does_not_start_fails_the_test_with_its_words(servers):
    """The server's own output helps most."""
    with pytest.raises(pytest.fail.Exception, match=r"the server ended: .*\n(?s:.*)no shop today"):
        servers(["python", "-c", "raise SystemExit('no shop today')", "{port}"])

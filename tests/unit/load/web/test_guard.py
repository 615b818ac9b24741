"""Where the web page can be served."""

import socket

import pytest

from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web.guard import require_port


@pytest.mark.parametrize("host", ["127.0.0.1", "", "0.0.0.0"])
def test_a_port_that_is_taken_or_is_none_is_refused(host):
    """Before the page's address is printed; a free one stays free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=rf"^--web-port {port}: .*Address already in use"):
            require_port(host, port)
    require_port(host, port)
    require_port(host, port)
    with pytest.raises(Refusal, match=r"^--web-port 99999: .* 0-65535"):
        require_port(host, 99999)

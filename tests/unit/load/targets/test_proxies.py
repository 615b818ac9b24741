"""Which proxy of the environment is not used, and when other clients would use it."""

import pytest

from mcp_perf.load.targets.proxies import unused


@pytest.mark.parametrize(
    ("environ", "url", "named"),
    [
        ({}, "https://a.test/mcp", ""),
        ({"HTTPS_PROXY": "http://me:secret@p"}, "https://a.test/mcp", "HTTPS_PROXY"),
        ({"https_proxy": "p", "HTTPS_PROXY": "q"}, "https://a.test/mcp", "https_proxy"),
        ({"HTTPS_PROXY": "p"}, "http://a.test/mcp", ""),
        ({"HTTP_PROXY": "p"}, "http://a.test/mcp", "HTTP_PROXY"),
        ({"ALL_PROXY": "p"}, "http://a.test/mcp", "ALL_PROXY"),
        ({"HTTP_PROXY": ""}, "http://a.test/mcp", ""),
        ({"ALL_PROXY": "p", "no_proxy": "b.test,a.test"}, "http://a.test/mcp", ""),
        ({"ALL_PROXY": "p", "NO_PROXY": "*"}, "http://a.test/mcp", ""),
        ({"ALL_PROXY": "p"}, "http://127.0.0.1:1/mcp", ""),
        ({"ALL_PROXY": "p"}, "http://[::1]:1/mcp", ""),
        ({"ALL_PROXY": "p"}, "http+unix://%2Frun%2Fa/mcp", ""),
    ],
)
def test_a_variable_is_named_that_other_clients_would_follow(environ, url, named):
    """Only its name is given, not its value. An arm with its own proxy needs no warning."""
    said = unused(url, "", environ)
    assert said.partition(" ")[0] == named
    assert "secret" not in said
    assert unused(url, "http://p", environ) == ""

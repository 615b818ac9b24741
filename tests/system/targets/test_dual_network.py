"""How the dual-runtime system calls its upstreams, on both kinds of loops."""

import anyio
import pytest
from opentelemetry import trace

from mcp_targets.dual_runtime import network
from mcp_targets.dual_runtime.errors import Transient
from mcp_targets.dual_runtime.faces import mcp_face
from mcp_targets.dual_runtime.settings import PRESETS
from mcp_targets.dual_runtime.system import DualRuntime
from mcp_targets.serving.processes import Child, addresses

pytestmark = pytest.mark.process
TRACING = "OpenTelemetryMiddleware"


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory):
    """Start two simulated services with a round trip of 1 ms; return their addresses."""
    folder = tmp_path_factory.mktemp("upstreams")
    arguments = ("--provider", "peer_load", "--provider", "github", "--rtt", "1ms")
    child = Child("upstream", "upstream", arguments, folder / "ready.json", folder / "log")
    yield addresses(folder / "ready.json") | {"dead": "http://127.0.0.1:9"}
    child.stop()


@pytest.fixture(params=["asyncio", "trio"])
def ask(request, upstreams):
    """Return a function that sends one request in a new session."""

    def run(upstream, path, **query):
        asking = network.Network(upstreams, pool="on", fanout="par")

        async def main():
            async with asking.session():
                return await asking.ask(upstream, path, **query)

        return anyio.run(main, backend=request.param)

    return run


def test_an_upstream_is_asked(ask):
    """With a path and a query; the result is its JSON."""
    assert ask("peer_load", "/peers/p/load")["queued"] == 7
    assert ask("github", "/repos/o/r/issues", per_page="1", page="2") == []


@pytest.mark.parametrize(
    ("upstream", "path", "said"),
    [
        ("peer_load", "/nothing", "peer_load answered 404"),
        ("dead", "/", "dead did not answer: ConnectError"),
    ],
)
def test_what_an_upstream_does_not_answer_may_pass(ask, upstream, path, said):
    """A status of 400 or above, or no answer, is a failure that a retry may repair."""
    with pytest.raises(Transient, match=said):
        ask(upstream, path)


@pytest.mark.parametrize(("traced", "spans"), [(False, 0), (True, 1)])
def test_spans_are_made_only_where_somebody_has_set_up_a_tracer(
    traced, spans, tmp_path, monkeypatch
):
    """Otherwise they go nowhere, and took an eighth of the server's processor time."""
    if traced:
        monkeypatch.setattr(trace, "get_tracer_provider", object)
    system = DualRuntime(PRESETS["dual"], {}, tmp_path, tmp_path)
    middleware = mcp_face.build(system)._lowlevel_server.middleware
    assert [type(one).__name__ for one in middleware].count(TRACING) == spans

"""What a request brings for an identity, and the message if it brings nothing useful."""

from pathlib import Path

import pytest

from mcp_perf.client.reply import Reply
from mcp_perf.load.prepare.provision import _Provisioner
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import load_text

TEXT = """\
name: demo
identities: {provision: {post: "http://127.0.0.1:1/u", take: {token: "TAKE"}}}
arms: {api: {http: "http://127.0.0.1:1"}}
journeys: {one: {steps: [{get: /a}]}}
"""


@pytest.mark.parametrize(
    ("take", "said"),
    [
        ("abs(id)", "take: a function gets a value of the wrong type"),
        ("[@,@]" + " | [@,@]" * 30, "take: it looks at more than 1000000 values"),
        ("missing", "take token: nothing at 'missing'; the reply has 'id'"),
    ],
)
def test_a_path_that_finds_nothing_is_refused_in_words(take, said):
    """The message has the identity's number, but not the reply, which may hold a secret."""
    loaded = load_text(TEXT.replace("TAKE", take), "demo.yaml", Path(), environ={})
    reply = Reply(0)
    reply.status, reply.body = 200, b'{"id": "s3cret"}'
    with pytest.raises(Refusal) as refused:
        _Provisioner(loaded.scenario.identities.provision, loaded, "run")._taken(
            {"number": 7}, reply
        )
    assert f"for number 7: {said}" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_request_that_is_sent_to_a_login_says_so(serve):
    """A web page is not an identity."""
    server = serve(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")
    loaded = load_text(TEXT.replace("127.0.0.1:1/u", server.url[7:]), "x", Path(), environ={})
    made = _Provisioner(loaded.scenario.identities.provision, loaded, "run")
    with pytest.raises(Refusal, match="number 7: HTTP 302, and POST /mcp is redirected to /login"):
        made.one({"number": 7})

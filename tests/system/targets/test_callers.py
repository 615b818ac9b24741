"""Who may call the bundled servers: this machine, but no page of another site."""

import httpx
import pytest

from mcp_targets.serving.httpd.callers import is_foreign

FACES = (
    *("echo/rest", "echo/mcp", "twilio/rest", "twilio/mcp", "ladder/mcp"),
    *("dual_runtime/rest", "dual_runtime/mcp", "dual_runtime/mcp?preset=control"),
)


@pytest.mark.parametrize(
    ("host", "origin", "foreign"),
    [
        (b"127.0.0.1", None, False),
        (b"127.0.0.1:8000", None, False),
        (b"LOCALHOST:1", b"http://localhost:3000", False),
        (b"[::1]:8000", b"https://[::1]", False),
        (None, None, True),
        (b"", None, True),
        (b"rebound.test:8000", None, True),
        (b"127.0.0.1.rebound.test", None, True),
        (b"127.0.0.1", b"http://evil.test", True),
        (b"127.0.0.1", b"null", True),
        (b"127.0.0.1", b"", True),
        (b"127.0.0.1", b"http://localhost@evil.test", True),
    ],
)
def test_host_and_origin_have_to_name_this_machine(host, origin, foreign):
    """The port does not matter; a page without an origin counts as foreign."""
    assert is_foreign(host, origin) is foreign


@pytest.mark.process
@pytest.mark.parametrize("face", FACES)
def test_no_face_answers_to_another_site(systems, face):
    """Not to its page, and not to its name that points here; it does to this machine."""
    url = systems.face(face).url
    body = {"jsonrpc": "2.0", "id": 1, "method": "server/discover"}
    statuses = [
        httpx.post(url, json=body, headers=headers).status_code
        for headers in ({"Host": "evil.test"}, {"Origin": "http://evil.test"}, {})
    ]
    assert statuses[:2] == [403, 403]
    assert statuses[2] != 403


@pytest.mark.process
def test_not_even_the_pages_for_operators_answer_to_another_site(systems):
    """These set faults and show counters."""
    base = httpx.URL(systems.face("echo/rest").url)
    reply = httpx.get(base.join("/_counters"), headers={"Origin": "http://evil.test"})
    assert reply.status_code == 403

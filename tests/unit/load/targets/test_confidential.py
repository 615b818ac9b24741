"""Secrets that no variable brought, but that are written in a target's line or in a file."""

import pytest

from mcp_perf.load.targets.confidential import in_file, in_target, of_run
from mcp_perf.scenario.loader import load_text


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("http://h/mcp", []),
        ("http://ann:pa55word@h/mcp", ["ann:pa55word", "pa55word", "ann"]),
        ("http://a%40b:p%2Fw0rd@h/mcp", ["a@b:p/w0rd", "p/w0rd", "a@b"]),
        ("http://h/mcp?exaApiKey=k3y4&x=1", ["k3y4"]),
        ("http://h/mcp?k=abcdefgh&profile=test", ["abcdefgh", "profile=test"]),
        ("http://h/mcp?k=${env:K}", []),
        ("http://h/s/0a1b2c3d4e5f6a7b8c9d/mcp/v1", ["0a1b2c3d4e5f6a7b8c9d"]),
        ("sse:http://h/sse?token=t0ken", ["t0ken"]),
        ("stdio:npx -y exa-mcp --api-key K3Y9 --port 8080", ["K3Y9"]),
        ("stdio:npx exa --key=abcd --root /srv/app --verbose", ["--key=abcd"]),
        ("stdio:env EXA_API_KEY=K3Y9 node x.js", ["K3Y9"]),
        ("stdio:npx mcp-remote http://h/mcp?jwt=abcd -H", ["abcd"]),
        ("stdio:exa --header 'X-Auth-Token: K3Y9'", ["X-Auth-Token: K3Y9", "K3Y9"]),
        ("stdio:exa -H 'X-Api-Key: K3Y9' -m 'Note: well'", ["K3Y9"]),
        ("stdio:exa -p hunter2x -t stdio -u ann", ["hunter2x"]),
        ("stdio:exa -k 0a1b2c3d4e5f6a7b8c9d", ["0a1b2c3d4e5f6a7b8c9d"]),
        ("stdio:python -m pkg.mod2 -r tools2/x.js -p 8080", []),
        ("python:app:tools", []),
        ("system:echo/mcp", []),
        ("http://[::1/mcp?k=abcdefgh", []),
    ],
)
def test_values_of_a_target_are_confidential_by_default(line, secret):
    """Queries, flags, credentials and odd segments are; numbers and paths are not."""
    assert list(in_target(line)) == secret


def test_literals_under_the_name_of_a_secret_are_confidential():
    """Values under outcomes are not: they say where a value is found."""
    tree = {
        "headers": {
            "X-Auth-Token": "t0p!",
            "Key": "k3y!",
            "Accept": "x/y",
            "Authorization": "Bearer abc.def",
        },
        "steps": [
            {"call": "login", "arguments": {"password": "hunter2", "user": "ann", "key": "city"}},
            {
                "call": "pay",
                "arguments": {"pwd": 12345678, "tokens": 4096, "token": ["one1", True]},
            },
        ],
        "take": {"token": "access_token"},
        "save": {"jwt": "a.b"},
        "auth": {"client_secret": "${env:SECRET}", "private_key": "${env:A}and-a-literal${env:B}"},
        "provision": {
            "post": "http://h/users?k=0f1e2d3c",
            "json": {"user": "somebody", "pin": "0a1b2c3d", "n": 1},
            "headers": {"A": "b"},
        },
    }
    assert list(in_file(tree)) == [
        *("t0p!", "k3y!", "Bearer abc.def", "hunter2", "12345678", "one1", "and-a-literal"),
        *("somebody", "0a1b2c3d", "0f1e2d3c"),
    ]


def test_all_of_a_run_is_gathered(tmp_path):
    """Secrets come from its variables, its file, its settings and its targets."""
    text = """
name: it
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp", headers: {X-Api-Key: in-the-file}}}
env: [OF_THE_SHELL]
journeys: {j: {mcp: [{call: echo}]}}
"""
    loaded = load_text(text, "it.yaml", tmp_path, environ={"OF_THE_SHELL": "of-the-shell"})
    pin = "identities.provision.json.pin=in-a-request"
    settings = ["arms.mcp.headers.X-Token=in-a-setting", "load.users=5", pin]
    found = set(of_run(loaded, settings, ["http://h/?key=in-a-target"]))
    known = {"of-the-shell", "in-the-file", "in-a-setting", "in-a-request", "in-a-target"}
    assert found == known

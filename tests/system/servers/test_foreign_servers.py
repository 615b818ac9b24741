"""Third-party servers, SDKs and gateways under load: our report equals what a relay saw.

All in one run, one arm each: the protocol version, calls and sessions in the report have to equal
those on the wire between our client and the server.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import foreign
from tests.support.wire import Relay, seen_by_stdio

pytestmark = [pytest.mark.load, pytest.mark.network]

HERE = Path(__file__).parent
WIRE = HERE.parents[1] / "support" / "wire.py"
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
PORT = "PORT"
"""Stands for the server's port in a command."""
STDIO = "everything-stdio"
BROADCASTS = "supergateway-sse"
"""A gateway that sends every answer to all of its sessions."""
USERS = 2
NONE = {"count": 0}


@dataclass(frozen=True)
class Peer:
    """A server that is started by a command, and the versions that it has to speak."""

    argv: tuple[str, ...]
    eras: tuple[str, ...] = (HANDSHAKE,)
    """The first is the result of `auto`; the others are requested."""
    path: str = "/mcp"


def python(library: str, folder: str = "") -> tuple[str, ...]:
    """Return the command of a Python server, of an older library if a folder is named."""
    where = [str(foreign.library(folder))] if folder else []
    return (sys.executable, str(HERE / "sum_app.py"), library, PORT, *where)


def typescript(version: str) -> tuple[str, ...]:
    """Return the command of a server of the TypeScript SDK."""
    return (foreign.NODE, str(HERE / "sum_app.cjs"), version, PORT, str(foreign.NODE_FOLDER))


def peers() -> dict[str, Peer]:
    """Start the servers that listen on a port, and return all."""
    everything = foreign.node_server(foreign.EVERYTHING)
    behind = (*everything, "stdio")
    gateway = foreign.node_server("supergateway")
    npm_proxy = foreign.node_server("mcp-proxy", "dist/bin/mcp-proxy.mjs")
    both = (MODERN, HANDSHAKE)
    return {
        "everything-http": Peer((*everything, "streamableHttp")),
        "everything-sse": Peer((*everything, "sse"), path="/sse"),
        "supergateway": Peer(
            (
                *(*gateway, "--stdio", " ".join(behind), "--stateful"),
                *("--outputTransport", "streamableHttp", "--port", PORT),
            )
        ),
        "mcp-proxy-npm": Peer((*npm_proxy, "--port", PORT, "--", *behind), (MODERN,)),
        "mcp-proxy-pypi": Peer((*foreign.proxy(), "--port", PORT, "--", *behind)),
        "fastmcp-2": Peer(python("fastmcp", "fastmcp-2")),
        "fastmcp-3": Peer(python("fastmcp", "fastmcp-3")),
        "fastmcp-4": Peer(python("fastmcp"), both),
        "python-sdk-1": Peer(python("mcp", "mcp-proxy")),
        "python-sdk-2": Peer(python("mcp"), both),
        "typescript-sdk-1": Peer(typescript("1")),
        "typescript-sdk-2": Peer(typescript("2"), both),
    }


def arm(name: str, where: str, era: str = "auto") -> str:
    """Return the lines of an arm."""
    return f"  {name}: {{mcp: {where}, protocol: {era}, headers: {{X-Arm: {name}}}, timeout: 60s}}"


SCENARIO = """
name: foreign
title: Servers of others, a sum each
arms:
ARMS
journeys:
  sum:
    steps:
      - call: get-sum
        arguments: {a: 2, b: 3}
        expect: {equals: {"content[0].text": "The sum of 2 and 3 is 5."}}
      - call: get-sum
        arguments: {a: 2, b: 3}
load: {users: USERS}
""".replace("USERS", str(USERS))


@pytest.fixture
def load(start_foreign, run_cli, report, tmp_path):
    """Load all of them in one run; return its report, and what the relays saw of each arm."""

    def run(known):
        (tmp_path / "wire").mkdir()
        with ThreadPoolExecutor(len(known)) as pool:
            servers = pool.map(lambda item: start_foreign(item[0], item[1].argv), known.items())
            relays = {name: Relay(one.port) for name, one in zip(known, servers, strict=True)}
        of_arms = {}
        lines = [f"  {STDIO}: {{mcp: {{stdio: {json.dumps(through(tmp_path))}}}, timeout: 60s}}"]
        for name, peer in known.items():
            address = f"http://127.0.0.1:{relays[name].port}{peer.path}"
            where = f"{{sse: '{address}'}}" if peer.path == "/sse" else f"'{address}'"
            for number, era in enumerate(peer.eras):
                called = f"{name}-{era}" if number else name
                of_arms[called] = relays[name]
                lines.append(arm(called, where, era if number else "auto"))
        file, out = tmp_path / "foreign.yaml", tmp_path / "out"
        file.write_text(SCENARIO.replace("ARMS", "\n".join(lines)))
        short = {"rounds": "1", "round": "200ms", "warmup": "100ms"}
        ended = run_cli(
            *("run", file, "--out", out),
            *(part for key in short for part in ("--set", f"load.{key}={short[key]}")),
        )
        assert (out / "report.json").is_file(), ended.output
        seen = {name: relay.seen(name) for name, relay in of_arms.items()}
        for relay in relays.values():
            relay.stop()
        return report(out), seen | {STDIO: seen_by_stdio(tmp_path / "wire")}

    return run


def through(folder: Path) -> list[str]:
    """Return the command of the reference server, behind a relay that logs to the folder."""
    relay = [sys.executable, str(WIRE), str(folder / "wire")]
    return [*relay, *foreign.node_server(foreign.EVERYTHING), "stdio"]


def test_we_tell_of_them_what_was_on_the_wire(load):
    """Versions, calls and sessions, with one more session that tested the server."""
    known = peers()
    found, seen = load(known)
    arms = found["arms"]
    eras = {STDIO: HANDSHAKE}
    for name, peer in known.items():
        eras |= {f"{name}-{era}" if n else name: era for n, era in enumerate(peer.eras)}

    assert {name: found["classes"] for name, found in arms.items() if found["error_rate"]} == {}
    assert {name: found["protocol"] for name, found in arms.items()} == eras
    assert {name: found.era for name, found in seen.items()} == eras

    counted = {name: found["calls"] + found["warmup_calls"] for name, found in arms.items()}
    assert {name: found.methods["tools/call"] for name, found in seen.items()} == counted
    assert min(counted.values()) >= USERS

    opened = {name: found["setup"].get("initialize", NONE)["count"] for name, found in arms.items()}
    assert opened == {name: USERS if era == HANDSHAKE else 0 for name, era in eras.items()}
    tried = {name: seen[name].methods["initialize"] - count for name, count in opened.items()}
    assert tried == {name: 1 if era == HANDSHAKE else 0 for name, era in eras.items()}


def test_promise_29_a_gateway_that_sends_every_answer_to_all_sessions_fails(load):
    """With and without an expectation: each call is ok, but its users are mixed up."""
    gateway, behind = foreign.node_server("supergateway"), foreign.node_server(foreign.EVERYTHING)
    argv = (*gateway, "--stdio", " ".join((*behind, "stdio")), "--outputTransport", "sse")
    found, seen = load({BROADCASTS: Peer((*argv, "--port", PORT), path="/sse")})
    arms = found["arms"]
    assert {name: arm["error_rate"] for name, arm in arms.items()} == {BROADCASTS: 0, STDIO: 0}
    assert "crossed_reply" not in arms[STDIO]["strays"]
    [crossed] = [one["text"] for one in found["reasons"] if one["code"] == "crossed_replies"]
    assert BROADCASTS in crossed
    assert found["verdict"] == "FAIL"
    counted = arms[BROADCASTS]["calls"] + arms[BROADCASTS]["warmup_calls"]
    assert seen[BROADCASTS].methods["tools/call"] == counted

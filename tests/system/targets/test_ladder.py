"""The ladder: one function, with the same result in every way to call it."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mcp_targets.ladder.tools import PRICES, price
from mcp_targets.launcher.references import parse
from mcp_targets.launcher.systems import Systems, UnknownSystem

pytestmark = pytest.mark.process

VERSION = "2025-11-25"
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": VERSION}
OPENING = {"capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ARGUMENTS = {"item": "tea", "quantity": 3}


def message(method, params):
    """Give a request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


INITIALIZE = message("initialize", {"protocolVersion": VERSION, **OPENING})
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CALL = message("tools/call", {"name": "price", "arguments": ARGUMENTS})


def test_the_function_says_what_it_costs():
    """Pieces times price; for an unknown item, the error names the known ones."""
    assert price("tea", 3) == {"item": "tea", "quantity": 3, "total": 3 * PRICES["tea"]}
    with pytest.raises(ValueError, match="'gold' is not sold here; there are tea, coffee, milk"):
        price("gold", 1)


@pytest.mark.parametrize(
    ("flag", "kind"), [("json", "application/json"), ("sse", "text/event-stream")]
)
def test_over_http_it_answers_as_its_flag_says(systems, flag, kind):
    """As plain JSON or as an event stream; the result is the function's."""
    url = systems.face(f"ladder/mcp?replies={flag}").url
    with httpx.Client(headers=HEADERS) as client:
        opened = client.post(url, json=INITIALIZE)
        client.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        client.post(url, json=INITIALIZED)
        reply = client.post(url, json=CALL)
    assert reply.headers["content-type"].startswith(kind)
    body = next(line for line in reply.text.splitlines() if '"result"' in line)
    result = json.loads(body.removeprefix("data:"))["result"]
    assert result["structuredContent"] == price("tea", 3)


def test_over_stdio_it_needs_no_installation_and_no_folder(systems, tmp_path):
    """It works without our environment, in any folder, with the code next to it."""
    face = systems.face("ladder/stdio")
    command = shlex.split(face.url.removeprefix("stdio:"))
    assert command[0] == sys.executable
    assert face.pids == {}
    shutil.copytree(Path(command[1]).parent, tmp_path / "mcp_targets")
    command[1] = str(tmp_path / "mcp_targets" / "stdio.py")
    tools = tmp_path / "mcp_targets" / "ladder" / "tools.py"
    tools.write_text(tools.read_text("utf-8").replace('"tea": 4', '"tea": 5'), "utf-8")
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path.parent,
        env={"PATH": "/usr/bin"},
    ) as server:
        said = []
        for request in (INITIALIZE, CALL):
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            said.append(json.loads(server.stdout.readline()))
        assert server.communicate(timeout=30) == ("", "")
    assert said[1]["result"]["structuredContent"]["total"] == 15
    assert server.returncode == 0


def test_a_stdio_face_starts_no_process_of_its_own(tmp_path):
    """Each user starts one; the launcher does not have to stop any."""
    with Systems(tmp_path / "logs") as systems:
        program = Path(shlex.split(systems.face("ladder/stdio").url)[1])
        assert program.is_file()
        assert systems.pids() == {}
    assert not (tmp_path / "logs").exists()


def test_a_stdio_face_takes_no_flags():
    """The flag about HTTP replies does not apply to it."""
    with pytest.raises(UnknownSystem, match=r"the face .stdio. of .ladder. does not have flags"):
        parse("ladder/stdio?replies=sse")

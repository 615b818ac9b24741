"""`mcp-perf agent serve`: a separate process, over sockets."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mcp_perf.agent.serving import KEY
from tests.support.waiting import answers, free_port, until

pytestmark = pytest.mark.process

SESSIONS = "/api/metrics/sessions"


def test_an_api_keeps_its_contract_and_a_killed_one_every_started_session(
    tmp_path, environment, command
):
    """Cases that schemathesis generates from its document; then `kill -9` right after an answer."""
    port, key = free_port(), "key-of-an-agent"
    store = f"sqlite:///{tmp_path}/history.sqlite"
    serve = [*command("mcp-perf"), "agent", "serve", "--web-port", str(port), "--store", store]
    server = subprocess.Popen(serve, env={**environment, KEY: key}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port), "the API")
        url = f"http://127.0.0.1:{port}"
        header = f"Authorization: Bearer {key}"
        checks = ("not_a_server_error", "status_code_conformance", "response_schema_conformance")
        asked = [str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json"]
        asked += ["--header", header, "--phases", "fuzzing", "--max-examples", "3", "--seed", "1"]
        asked += ["--checks", ",".join(checks), "--no-color"]
        done = subprocess.run(asked, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        request = urllib.request.Request(f"{url}{SESSIONS}", b'{"mode": "mcp", "taskNumber": 7}')
        request.add_header("Authorization", f"Bearer {key}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as reply:
            session = json.load(reply)["sessionId"]
        server.kill()
    finally:
        server.kill()
        server.wait(60)
    summary = [*command("mcp-perf"), "agent", "summary", "--store", store]
    shown = subprocess.run(summary, env=environment, check=False, capture_output=True, text=True)
    assert session in shown.stdout + shown.stderr

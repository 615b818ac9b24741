"""Promise 24: secrets never leave, whatever way they came in."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from mcp_perf.load.targets.refusal import Refusal
from tests.support import ROOT
from tests.support.commands import CALM

ENV = 'canary/of "the" env+0a1b2c'
"""With characters that JSON, URLs and base64 each write differently."""
LITERAL = "canary-literal-3d4e5f"
URL = "canary-url-6a7b8c"
USER = "canary-user-9d0e1f"
CANARIES = (ENV, LITERAL, URL, USER)
SHORT = (
    *("--set", "load.rounds=2", "--set", "load.round=400ms", "--set", "load.warmup=200ms"),
    *CALM,
)
SCENARIO = """
name: canary
title: Secrets on all ways
env: [CANARY]
arms:
  control:
    http: "BASE?api_key=URL"
    headers: {X-Custom: "${env:CANARY}", Authorization: "Bearer LITERAL"}
  mcp:
    mcp: "BASE/mcp?token=URL"
    headers: {Authorization: "Bearer ${env:CANARY}", X-Api-Key: LITERAL}
journeys:
  header-query-and-reply:
    control: [{get: /echo, query: {message: "${env:CANARY}"}, expect: {equals: {message: other}}}]
    mcp:
      - call: echo
        arguments: {message: "${env:CANARY}"}
        expect: {equals: {structuredContent.message: other}}
  body-and-error:
    control: [{post: /echo, json: {text: "${env:CANARY}"}}]
    mcp: [{call: fail, arguments: {message: "wrong: ${env:CANARY}"}}]
  address-and-refusal:
    control: [{get: "/no/${env:CANARY}"}]
    mcp:
      - call: echo
        arguments: {message: "${env:CANARY}"}
        save: {key: structuredContent.message}
      - {call: sleep, arguments: {ms: "${key}"}}
load: {users: 3}
"""
OWN_FAULT = """
import os, sys
from mcp_perf.cli.output.screen import run_on_screen
from mcp_perf.load.engine import MODULE
def broken(*_args):
    raise KeyError("wrong key: " + os.environ["CANARY"])
MODULE.BROKEN = broken
sys.exit(run_on_screen(["--scenario", *sys.argv[1:]], ("json", "md")))
"""


def forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a secret may be written."""
    yield secret
    yield secret.replace('"', '\\"')
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield secret.replace('"', "&#34;")
    yield secret.replace('"', "&quot;")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def leaks(text: str) -> list[str]:
    """Return the lines that contain one of the canaries, in any form."""
    written = [form for canary in CANARIES for form in forms(canary)]
    return [line[:300] for line in text.splitlines() if any(form in line for form in written)]


def leaks_in(folder: Path) -> dict[str, list[str]]:
    """Return the leaks of every file in a folder, by its name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.name: leaks(path.read_text("utf-8", "replace")) for path in files}
    return {name: lines for name, lines in found.items() if lines}


@pytest.fixture
def scenario(echo, tmp_path) -> Path:
    """Write the scenario; return its path."""
    path = tmp_path / "canary.yaml"
    text = SCENARIO.replace("BASE", echo).replace("URL", URL).replace("LITERAL", LITERAL)
    path.write_text(text)
    return path


@pytest.fixture
def secretive(environment) -> dict[str, str]:
    """Return an environment that holds a secret."""
    return {**environment, "CANARY": ENV}


@pytest.mark.load
@pytest.mark.parametrize("tool", ["mcp-perf", "locust"])
def test_promise_24_no_file_and_no_terminal_shows_a_secret(
    tool, scenario, secretive, run_cli, tmp_path
):
    """Secrets in header, environment, URL, argument, reply and refusal are in no output."""
    out = tmp_path / "out"
    argv: tuple[object, ...] = ("run", scenario, "--processes", "2")
    if tool == "locust":
        out.mkdir()
        own = ("--html", out / "locust.html", "--csv", out / "locust", "--csv-full-history")
        argv = ("-f", ROOT / "locustfiles", "--headless", *own, "--json", "--scenario", scenario)
    ended = run_cli(*argv, *SHORT, "--out", out / "run", name=tool, env=secretive)
    assert ended.code in (90, 91, 99), ended.output
    (out / "run" / "report.html").unlink()
    again = run_cli("report", out / "run", env=secretive)
    assert again.code == 0, again.output
    assert leaks(ended.stdout + ended.stderr + again.stdout + again.stderr) == []
    assert leaks_in(out) == {}
    written = {path.name for path in out.rglob("*") if path.is_file()}
    assert written >= {"journal.jsonl", "report.html", "samples.csv", "run.log", "junit.xml"}
    # The texts are there, but not the secrets in them.
    journal = (out / "run" / "journal.jsonl").read_text("utf-8")
    for text in ("wrong: [redacted]", "api_key=[redacted]", "token=[redacted]", "found"):
        assert text in journal


STDIO = """
name: talkative
title: A server that tells its key
env: [CANARY]
arms:
  mcp: {mcp: {stdio: [PYTHON, server.py]}, env: {KEY: "${env:CANARY}"}, protocol: "2025-11-25"}
journeys:
  one: {steps: [{call: echo, arguments: {}}]}
load: {users: 1}
"""
TALKATIVE = """
import json, os, sys
print("my key is", os.environ["KEY"], file=sys.stderr, flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    result = {"protocolVersion": "2025-11-25", "content": []}
    result["tools"] = [{"name": "echo", "inputSchema": {"type": "object"}}]
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@pytest.mark.load
def test_promise_24_the_log_of_a_server_shows_no_secret(secretive, run_cli, tmp_path):
    """Its standard error is kept, except for the key that it was given."""
    (tmp_path / "server.py").write_text(TALKATIVE)
    path = tmp_path / "talkative.yaml"
    path.write_text(STDIO.replace("PYTHON", sys.executable))
    run_cli("run", path, *SHORT, "--out", tmp_path / "run", env=secretive, timeout=300)
    log = (tmp_path / "run" / "systems" / "stdio-mcp.log").read_text()
    assert "my key is [redacted]" in log
    assert leaks(log) == []


@pytest.mark.load
@pytest.mark.parametrize(("module", "name"), [("user", "compile_journeys"), ("run", "load_report")])
def test_promise_24_no_exception_of_ours_shows_a_secret(
    module, name, scenario, secretive, tmp_path
):
    """A traceback that contains a secret is written without it, to the log and the terminal."""
    out = tmp_path / "out"
    script = OWN_FAULT.replace("MODULE", module).replace("BROKEN", name)
    argv = [sys.executable, "-c", script, str(scenario), "--out", str(out), *SHORT]
    ended = subprocess.run(
        argv, cwd=ROOT, env=secretive, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 107, ended.stderr
    assert "wrong key: [redacted]" in (out / "run.log").read_text("utf-8")
    assert leaks(ended.stdout + ended.stderr) == []
    assert leaks_in(out) == {}


@pytest.mark.process
@pytest.mark.parametrize("path", ["/mcp", "/nothing-here"])
def test_promise_24_no_refusal_shows_a_secret(path, echo, scenario, secretive, run_cli, tmp_path):
    """Targets that cannot be reached, or do not speak MCP, are named without their secrets."""
    base = echo.replace("://", f"://someone:{USER}@") if path == "/mcp" else echo
    target = f"mcp={base}{path}?api_key={URL}"
    dead = f"control=http://127.0.0.1:1/?token={URL}"
    argv = ("run", scenario, "--target", target, "--target", dead, "--out", tmp_path / "out")
    ended = run_cli(*argv, env=secretive)
    assert ended.code in (104, 108), ended.output
    assert leaks(ended.stdout + ended.stderr) == []


def test_promise_24_a_refusal_is_clean_wherever_it_is_shown():
    """Its lines go to the log and, unchanged, to the page that started the run."""
    refusal = Refusal(f"mcp: cannot reach http://a:{USER}@host/?token={URL}", code=108)
    assert refusal.lines == ["mcp: cannot reach http://[redacted]@host/?token=[redacted]"]
    assert leaks(str(refusal)) == []


@pytest.mark.process
def test_promise_24_a_wrong_file_is_told_without_its_secrets(scenario, secretive, run_cli):
    """Messages about headers, settings and variables do not quote what may be a secret."""
    text = (
        scenario.read_text("utf-8")
        .replace("X-Api-Key: L", "X-Api-Key: [L")
        .replace(f"X-Api-Key: [{LITERAL}", f"X-Api-Key: [{LITERAL}]")
    )
    scenario.write_text(text + "gates: [mcp.p59 < 1s]\n")
    ended = run_cli("validate", scenario, env=secretive)
    assert ended.code == 104
    assert leaks(ended.stdout + ended.stderr) == []

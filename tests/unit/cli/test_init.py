"""`mcp-perf init` and `check`: commands that are pointed at a server."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mcp_perf.cli.init import _proposed
from mcp_perf.cli.main import main
from mcp_perf.scenario.loader import load
from tests.unit.load.survey.conftest import TOOLS, serve, start, tool

__all__ = ["serve", "start"]


def ask(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(word) for word in arguments], prog_name="mcp-perf")


def test_a_scenario_is_made_that_runs_without_an_edit(start, tmp_path):
    """Its gates say that they are proposals, and its end says what is not called."""
    _, given = start(TOOLS)
    path = tmp_path / "my.yaml"
    asked = ask("init", given.line, "-o", path, "--header", "Authorization: k-98765")
    assert asked.exit_code == 0, asked.output
    assert f"{path}: 2 tools (echo, search_x" in asked.output
    assert "Before a run: export AUTHORIZATION=…" in asked.output
    scenario = load(path, environ={"AUTHORIZATION": "k"}).scenario
    assert scenario.name == "tool-shop"
    assert [gate.metric for gate in scenario.gates] == ["error_rate", "p95"]
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=mcp-perf.schema.json"
    assert (tmp_path / "mcp-perf.schema.json").exists()
    assert text.count("# a proposal") == 2
    assert "# Not called: make: it is not known to be harmless (to call one: --tool NAME)" in text
    assert "k-98765" not in text
    again = ask("init", given.line, "-o", path)
    assert (again.exit_code, again.output) == (104, f"{path} already exists; name another file\n")


def test_a_recording_is_told_from_a_configuration_by_its_content(tmp_path):
    """Its sessions become journeys; without arguments there is nothing to make again."""
    file, path = tmp_path / "mcp.json", tmp_path / "my.yaml"
    head = {"schema": "mcp-perf/recording/1", "started": "2026-11-30T00:00:00+00:00"}
    call = {"session": "a", "at_ms": 0, "ms": 9, "transport": "http", "outcome": "ok"}
    call |= {"method": "tools/call", "tool": "echo", "bytes_out": 1, "arguments": {"text": "a"}}
    lines = {**head, "target": "http://127.0.0.1:1/mcp", "arguments": True}, call
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = ask("init", "--from", file, "-o", path)
    assert (asked.exit_code, asked.output) == (0, f"{path}: 1 session of {file}\n")
    made = load(path).scenario
    assert made.journeys["session-1"].of("mcp")[0].arguments == {"text": "a"}
    path.write_text(path.read_text().replace("load: ", "load: {replay: mcp.json} # "))
    assert load(path).replay.starts_ns == (0,)
    asked = ask("init", "--from", file, "-o", tmp_path / "other.yaml", "--tool", "echo")
    assert (asked.exit_code, "--tool and --args cannot be used" in asked.output) == (104, True)
    del call["arguments"]
    redacted = {**lines[0], "arguments": False}, call
    file.write_text("".join(json.dumps(line) + "\n" for line in redacted))
    asked = ask("init", "--from", file, "-o", tmp_path / "other.yaml")
    assert asked.exit_code == 104
    assert asked.output == (
        "'mcp.json' was recorded without its arguments - "
        "record it with mcp-perf agent record --keep-arguments\n"
    )


@pytest.mark.parametrize(("calm_ms", "bound"), [(1.0, 50), (400.0, 5000), (4000.0, 5000)])
def test_no_proposed_bound_lies_beyond_the_timeout(calm_ms, bound):
    """No call can take longer, so a gate with such a bound would say nothing about times."""
    found = SimpleNamespace(times_ms={"get_it": [calm_ms] * 10})
    assert _proposed(found)[1].startswith(f"mcp.p95 < {bound}ms # a proposal")


def test_a_server_of_a_configuration_is_taken(start, tmp_path, monkeypatch):
    """With its headers, whose variables stay variables; it names what it cannot ask for."""
    server, given = start([tool("echo")])
    monkeypatch.setenv("TOKEN", "t-1")
    headers = {"Authorization": "Bearer ${TOKEN}"}
    servers = {"shop": {"url": given.line, "headers": headers}}
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    asked = ask("init", "--from", file, "-o", tmp_path / "my.yaml", "--args", '{"text": "${seq}"}')
    assert (asked.exit_code, asked.output) == (
        104,
        "--args needs exactly one tool: name it with --tool\n",
    )
    options = ("--tool", "echo", "--args", '{"text": "a-${seq}"}')
    asked = ask("init", "--from", file, "shop", "-o", tmp_path / "my.yaml", *options)
    assert asked.exit_code == 0, asked.output
    assert re.fullmatch(r"a-[0-9a-f]{6}-\d+", server.called[0][1]["text"])
    made = load(tmp_path / "my.yaml").scenario
    assert made.name == "shop"
    assert made.journeys["echo"].of("mcp")[0].arguments == {"text": "a-${run}-${seq}"}
    assert made.arms["mcp"].headers == {"Authorization": "Bearer ${env:TOKEN}"}
    headers["Authorization"] = "Bearer ${input:key}"
    file.write_text(json.dumps({"servers": servers, "inputs": [{"id": "key"}]}))
    asked = ask("check", "--from", file)
    assert asked.exit_code == 104
    assert asked.output.startswith("key: a value must be entered - run the command on a terminal")


def test_what_was_asked_for_is_not_written_into_a_command(tmp_path, monkeypatch):
    """Anybody can read a file; a run may use the secret, and hides it."""
    monkeypatch.setattr("mcp_perf.cli.target._ask", lambda _what: "s3cret-4711")
    server = {"command": "x", "args": ["--key", "${input:key}"]}
    (tmp_path / "mcp.json").write_text(json.dumps({"servers": {"a": server}}))
    asked = ask("init", "--from", tmp_path / "mcp.json", "-o", tmp_path / "my.yaml")
    assert asked.exit_code == 104
    assert "write it in env or headers" in asked.output
    assert "s3cret" not in asked.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("init", "-o", "x.yaml"), 104, "nothing: write a URL, or -- COMMAND"),
        (("init", "echo", "-o", "x.yaml"), 104, "echo: write a URL, or -- COMMAND"),
        (("init", "http://127.0.0.1:9/mcp", "-o", "x.yaml"), 108, "mcp: cannot reach http://"),
        (("check", "http://127.0.0.1:9/mcp"), 108, "mcp: cannot reach http://127.0.0.1:9/mcp"),
        (("check", "http://a/mcp", "--header", "X"), 104, "--header: write 'NAME: VALUE'"),
        (("check", "http://a/mcp", "--bearer-env", "GONE"), 104, "'GONE' is not set"),
        (("check", "http://ü/mcp"), 104, "contains a letter"),
        (("check", "127.0.0.1:80/mcp"), 104, "http:// is missing: write http://127.0.0.1:80/mcp"),
        (("check", "--header", "A: b", "--", "x"), 104, "over HTTP"),
        (("check", "--"), 104, "there is no command after -- - write the command that starts"),
        (("init", "http://a/mcp", "-o", "x.json"), 104, "must end in .yaml"),
        (("init", "http://a/mcp", "-o", "no/x.yaml"), 104, "there is no folder no"),
        (("init", "http://a", "-o", "x.yaml", "--tool", "a", "--args", "{"), 104, "--args: "),
        (("init", "http://a", "-o", "x.yml", "--tool", "a", "--args", "[]"), 104, "an object"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    arguments, code, says, tmp_path, monkeypatch
):
    """With the exit codes of a run."""
    monkeypatch.chdir(tmp_path)
    asked = ask(*arguments)
    assert (asked.exit_code, says in asked.output) == (code, True), asked.output
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_looked_at(start):
    """As lines for a person, or as JSON."""
    _, given = start(TOOLS)
    asked = ask("check", given.line, "--tools", "--bearer-env", "PATH")
    assert asked.exit_code == 0, asked.output
    assert "\necho (called): text\n" in asked.output  # not indented, as if it were a fault
    lines = {" ".join(line.split()) for line in asked.output.splitlines()}
    assert {
        "name Tool shop",
        "versions 2025-11-25",
        "authorization yes",
        "session by id",
        "keep alive yes",
        "stream 405",
        "delete 204",
        f"tools list pages {len(TOOLS)}",
        "echo (called): text",
        "delete_all (never): text",
        "get_quietly (never): -",
    } <= lines
    assert any(line.startswith("faults tool get_broken: its inputSchema") for line in lines)
    told = json.loads(ask("check", given.line, "--json").output)
    assert told["tools_list_pages"] == len(TOOLS)


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["echo", "--tool", "echo"],
            "--tool cannot be used with a scenario file; write it into the file\n",
        ),
        (
            ["http://127.0.0.1:9/mcp", "--gate", "p95 < 2s"],
            (
                "--gate: 'p95 < 2s' is not a gate - write it like mcp.p95 < 200ms, or "
                "mcp.tool[NAME].p95 < 200ms\n"
            ),
        ),
    ],
)
def test_what_a_run_cannot_mean_is_refused_before_anything_is_sent(arguments, said, tmp_path):
    """A file says what is called, so options of a target would change nothing."""
    asked = subprocess.run(
        [sys.executable, "-m", "mcp_perf", "run", *arguments],
        check=False, capture_output=True, text=True, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert asked.returncode == 104
    assert asked.stderr == said

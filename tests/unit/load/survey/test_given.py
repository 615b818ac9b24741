"""What a user points at: an address, a command, a client's configuration."""

import json
from pathlib import Path

import pytest

from mcp_perf.load.survey.given import LINE, of_command, of_file, of_line
from mcp_perf.scenario.problems.wording import InputError

SERVERS = {
    "web": {
        "url": "https://api.example.com/mcp",
        "headers": {"Authorization": "Bearer ${input:key}", "X-Team": "${TEAM:-blue}"},
    },
    "old": {"type": "sse", "url": "http://${HOST}/sse"},
    "local": {
        "type": "stdio",
        "command": "python3",
        "args": ["server.py", "--root", "${workspaceFolder}"],
        "cwd": "${workspaceFolder}/src",
        "env": {"API_KEY": "secret-1", "TEAM": "${env:TEAM}", "GONE": "${env:GONE}", "N": 3},
    },
}
INPUTS = [{"id": "key", "type": "promptString", "description": "API key", "password": True}]


def nobody(what):
    """Fail, because nobody can be asked."""
    raise InputError(f"{what} is asked for", "run it on a terminal")


@pytest.fixture
def file(tmp_path):
    """Give a configuration file of VS Code's with comments."""
    folder = tmp_path / ".vscode"
    folder.mkdir()
    path = folder / "mcp.json"
    text = json.dumps({"inputs": INPUTS, "servers": SERVERS})
    path.write_text("// my servers, at http://x\n" + text[:-1] + ', /* none */ "more": [1,],}')
    return path


def test_headers_keep_their_variables_and_what_is_asked_for_becomes_one(file):
    """The scenario's texts have no secrets; a question says what the value is for."""
    asked = []
    found = of_file(file, "web", {"HOME": "/"}, lambda what: asked.append(what) or "s3cret")
    assert asked == ["key: API key"]
    assert found.line == "https://api.example.com/mcp"
    assert found.headers == {"Authorization": "Bearer ${env:key}", "X-Team": "blue"}
    assert found.variables == {"key": "s3cret"}
    assert "s3cret" not in repr(found)
    assert found.typed == f"--from {file} web"
    team = of_file(file, "web", {"TEAM": "red"}, lambda _: "x").headers["X-Team"]
    assert team == "${env:TEAM}"


def test_a_server_is_started_in_its_folder_with_its_environment(file):
    """Secrets in its environment become variables; folders are the workspace's."""
    found = of_file(file, "local", {"TEAM": "red"}, nobody)
    root = file.parent.parent
    assert found.line == f"stdio:python3 server.py --root {root}"
    assert found.cwd == root / "src"
    assert found.env == {"API_KEY": "${env:API_KEY}", "TEAM": "${env:TEAM}", "GONE": "", "N": "3"}
    assert found.variables == {"API_KEY": "secret-1"}


def test_an_older_transport_is_kept(file):
    """A server with `type: sse` gets the prefix `sse:`; its address may hold variables."""
    assert (
        of_file(file, "old", {"HOST": "localhost:9"}, nobody).line == "sse:http://localhost:9/sse"
    )


def test_the_only_server_of_a_file_needs_no_name(tmp_path):
    """Claude's files have mcpServers; a folder that is not VS Code's own is the workspace."""
    path = tmp_path / "claude_desktop_config.json"
    local = {"command": "x", "args": ["${workspaceFolder}"], "env": {"A": "pay $${5}"}}
    path.write_text(json.dumps({"mcpServers": {"my Server!": local}}))
    found = of_file(path, "", {}, nobody)
    assert (found.called("x").name, found.line) == ("my-server", f"stdio:x {tmp_path}")
    assert found.cwd == Path()


@pytest.mark.parametrize(
    ("name", "environ", "says"),
    [
        ("", {}, "several servers - name one of them: web, old or local"),
        ("lokal", {}, "no server 'lokal' - did you mean 'local'?"),
        ("web", {}, "key: API key is asked for - run it on a terminal"),
        ("old", {}, "the variable HOST is not set - export HOST=…"),
    ],
)
def test_what_is_missing_is_named(file, name, environ, says):
    """A user can then correct it: another name, a variable, a terminal."""
    with pytest.raises(InputError) as caught:
        of_file(file, name, environ, nobody)
    assert says in f"{caught.value.message} - {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "says"),
    [("{}", "has no servers"), ("[]", "has no servers"), ("{", "is not JSON"), (None, "read")],
)
def test_what_is_no_configuration_is_refused(tmp_path, text, says):
    """The message says what is wrong, and names the file."""
    path = tmp_path / "mcp.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=says):
        of_file(path, "", {}, nobody)


@pytest.mark.parametrize(
    ("found", "typed"),
    [
        (of_line("http://127.0.0.1:8000/mcp"), "http://127.0.0.1:8000/mcp"),
        (of_command(["npx", "-y", "a b", "stdio"]), "-- npx -y 'a b' stdio"),
    ],
)
def test_a_target_is_typed_at_the_end_of_a_command_line(found, typed):
    """So a message can show a command line that does the same."""
    assert found.typed == typed


def test_a_target_is_called_as_its_file_calls_it_or_as_it_calls_itself():
    """Only characters that a scenario's name may have are kept."""
    given = of_line("http://a/mcp")
    assert given.called("@scope/My Server (beta)").name == "scope-my-server-beta"
    assert given.called("").name == given.called("日本").name == "my-server"
    assert given.called("it").called("other").name == "it"


def test_a_header_that_may_be_secret_becomes_a_variable():
    """Other headers stay as they are, and so do those that already look a variable up."""
    given = of_line("http://a/mcp").with_headers(
        {"Authorization": "Bearer x1", "X-Api-Key": "${env:KEY}", "Accept-Language": "en"}
    )
    assert given.headers == {
        "Authorization": "${env:AUTHORIZATION}",
        "X-Api-Key": "${env:KEY}",
        "Accept-Language": "en",
    }
    assert given.variables == {"AUTHORIZATION": "Bearer x1"}


@pytest.mark.parametrize(
    ("line", "public"),
    [
        ("http://127.0.0.1:8000/mcp", False),
        ("http://localhost/mcp", False),
        ("http://10.1.2.3/mcp", False),
        ("http://server/mcp", False),
        ("http://box.local/mcp", False),
        ("https://api.example.com/mcp", True),
        ("sse:https://8.8.8.8/sse", True),
        ("stdio:npx server.example.com", False),
        ("http+unix://%2Frun%2Fmcp.example.com/mcp", False),
    ],
)
def test_an_address_on_the_internet_is_told_from_one_near_by(line, public):
    """Its owner was not asked, so it gets a smaller load."""
    assert of_line(line).is_public is public
    assert LINE.match(line)
    here = ("127.0.0.1", "localhost", "npx", "unix")
    assert of_line(line).is_here is any(word in line for word in here)


@pytest.mark.parametrize("text", ["echo", "my.yaml", "./http:/x.yaml", "twilio-tasks"])
def test_a_scenario_is_no_target(text):
    """Neither its name nor its path is read as a target."""
    assert not LINE.match(text)

"""How targets are written: in the file, on the command line, and as one line everywhere else."""

from pathlib import Path

import pytest

from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.model.targets import hostname, read_target, split_target, words
from mcp_perf.scenario.problems.wording import InputError


@pytest.mark.parametrize(
    ("written", "line", "parts"),
    [
        ("http://a/mcp", "http://a/mcp", ("http", "http://a/mcp")),
        ("https://a/mcp", "https://a/mcp", ("http", "https://a/mcp")),
        ("system:echo/mcp", "system:echo/mcp", ("system", "echo/mcp")),
        ({"sse": "http://a/sse"}, "sse:http://a/sse", ("sse", "http://a/sse")),
        ({"stdio": ["npx", "-y", "a b"]}, "stdio:npx -y 'a b'", ("stdio", "npx -y 'a b'")),
        ({"python": "shop.api:server"}, "python:shop.api:server", ("python", "shop.api:server")),
    ],
)
def test_every_target_is_one_line(written, line, parts):
    """The value of `mcp:` in a file and the value of --target become the same line."""
    assert Arm(mcp=written).address == line
    assert Arm(mcp="http://b").pointed(line) == line
    assert split_target(line) == parts


@pytest.mark.parametrize(
    "argv", [["a"], ["a b", "c'd", '"', "$HOME", "`x`", "; rm -r /", "&&", ""], ["ü", "*"]]
)
def test_the_words_of_a_command_survive(argv):
    """Each word arrives as written, whatever a shell would make of it."""
    line = Arm(mcp={"stdio": argv}).address
    assert words(split_target(line)[1]) == tuple(argv)
    assert read_target(line) == line


def test_the_folder_of_a_command_may_stand_next_to_it():
    """Files of MCP clients have it there; the line of the target stays the command."""
    both = {"mcp": {"stdio": ["a"], "cwd": "b"}}
    assert Arm.model_validate(both) == Arm(mcp={"stdio": ["a"]}, cwd="b")
    assert Arm.model_validate(both).address == "stdio:a"
    with pytest.raises(ValueError, match="stdio or cwd"):
        Arm.model_validate({**both, "cwd": "c"})


@pytest.mark.parametrize(
    "line", ["http+unix://%2Frun%2Fa.sock/mcp", "sse:http+unix://%2Frun%2Fa/s"]
)
def test_a_socket_file_is_an_address_of_this_machine(line):
    """Any arm that uses HTTP may have one."""
    url = line.removeprefix("sse:")
    assert Arm(mcp=url if url == line else {"sse": url}).address == line
    assert Arm(mcp="http://b").pointed(line) == line
    assert split_target(line) == ("http" if url == line else "sse", url)
    assert hostname(line) == "localhost"
    with pytest.raises(ValueError, match="is not an address"):
        Arm(mcp="http+unix:///run/a.sock")


@pytest.mark.parametrize("name", ["Host", "host"])
def test_the_host_header_is_what_the_server_knows_itself_as(name):
    """Other clients write it as a header; one of the two is enough."""
    arm = Arm(mcp="http://a", headers={name: "mcp.internal:8000", "X": "y"})
    assert arm == Arm(mcp="http://a", host="mcp.internal:8000", headers={"X": "y"})
    both = Arm(mcp="http://a", host="b", headers={name: "c"})
    assert (both.host, both.headers) == ("b", {name: "c"})  # told when the target is tried


@pytest.mark.parametrize(
    "host", ["a b", "http://a", "a/b", "a:b", "${env:HOST}", "a\r\nX: y", ":1"]
)
def test_a_host_is_a_name_and_a_port(host):
    """Nothing else gets into the header."""
    with pytest.raises(ValueError, match=r"is not a host|write it like mcp\.internal"):
        Arm(mcp="http://a", host=host)


@pytest.mark.parametrize(
    ("arm", "line", "says"),
    [
        ({"mcp": "http://a"}, "ftp://a", "not a target"),
        ({"mcp": "http://a"}, "stdio:", "not a command"),
        ({"mcp": "http://a"}, "stdio:a 'b", "No closing quotation"),
        ({"mcp": "http://a"}, "sse:a", "not an address"),
        ({"mcp": "http://a"}, "python:a b", "not a Python object"),
        ({"http": "http://a"}, "stdio:a", "this arm calls a plain HTTP server"),
        ({"http": "http://a"}, "python:a", "this arm calls a plain HTTP server"),
        ({"python": "a"}, "http://a", "a target of the kind python"),
    ],
)
def test_an_arm_is_pointed_only_where_it_can_go(arm, line, says):
    """--target refuses what the arm's steps could not call."""
    with pytest.raises(InputError, match=says):
        Arm(**arm).pointed(line)


def test_a_configuration_of_a_client_is_no_target_of_an_arm():
    """The message names the option that takes one."""
    with pytest.raises(InputError) as caught:
        read_target("a/mcp.json")
    assert caught.value.hint == "for servers of an MCP client: run --from a/mcp.json"


def test_what_one_process_cannot_tell_apart_is_refused(refuse):
    """A server's request does not say which call it belongs to; progress does, by its token."""
    text = (
        "name: x\ntitle: x\narms:\n  a: {mcp: {stdio: [a]}, process: PROCESS}\n"
        "journeys:\n  j: {a: [{call: f, progress: true, answers: {roots: []}}]}\n"
    )
    [problem] = refuse(text.replace("PROCESS", "shared"))
    assert problem.message.startswith("answers needs a process for each user")
    assert "needs a process for each user, but the users of 'a'" in problem.message
    assert problem.line == 6
    load_text(text.replace("PROCESS", "user"), "x", Path(), environ={})


def test_what_a_variable_holds_is_not_shown():
    """A message about a server's environment names only the variable."""
    with pytest.raises(ValueError, match="A contains a NUL character") as refused:
        Arm(mcp={"stdio": ["a"]}, env={"A": "hidden\0"})
    assert "hidden" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("arm", "step", "said", "hint"),
    [
        ("http: http://a", "run: f", "run is for python arms, and 'x' is an http arm", "get, post"),
        ("mcp: http://a", "run: f", "run is for python arms, and 'x' is an mcp arm", "call: TOOL"),
        ("python: a", "call: f", "call is for mcp arms, and 'x' is a python arm", "run: FUNCTION"),
        ("python: a", "get: /f", "get is for http arms, and 'x' is a python arm", "run: FUNCTION"),
        ("python: a", "run: a-b", "'a-b' is not a name for a value", "letters"),
        (
            "python: a",
            "{run: f, expect: {status: 200}}",
            "status can only be used on HTTP steps",
            "class: ok",
        ),
        ("python: a", "{run: f, form: {a: 1}}", "not for run", "remove form"),
    ],
)
def test_a_step_that_its_arm_cannot_do_is_refused(arm, step, said, hint, refuse):
    """Each kind of arm has its own actions, and the hint names them."""
    problems = refuse(
        f"name: x\ntitle: x\narms:\n  x: {{{arm}}}\n"
        f"journeys:\n  j: {{x: [{step if step[0] == '{' else '{' + step + '}'}]}}\n"
    )
    assert [said in problem.message for problem in problems] == [True], problems
    assert hint in problems[0].hint

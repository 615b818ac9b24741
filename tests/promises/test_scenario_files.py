"""Promise 25: a scenario file is data, and anything more than data is refused first."""

import socket
from pathlib import Path

import pytest

from mcp_perf.scenario.loader import ScenarioError, load_text

GOOD = """\
name: data
title: Only data
env: [ALLOWED]
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp"}}
journeys:
  one:
    steps: [{call: echo, arguments: {message: hi}}]
"""
END = GOOD.count("\n")
MORE_THAN_DATA = {
    "an anchor and its alias": ("vars: {a: &x 1, b: *x}", "alias"),
    "a merge key": ("vars: {<<: {a: 1}}", "<<"),
    "a tag": ("vars: !!python/object/apply:os.system [id]", "tag"),
    "a local tag": ("vars: {a: !include /etc/passwd}", "tag"),
    "a duplicate key": ("vars: {a: 1, a: 2}", "a"),
    "a second document": ("---\nname: other", "document"),
    "too deep": ("vars: {a: " + "[" * 40 + "]" * 40 + "}", "nested"),
    "too many values": ("vars: {a: [" + "1," * 20_001 + "]}", "values"),
    "too large": ("# " + "x" * 1024 * 1024, "larger than 1 MiB"),
    "a variable that is not listed": ('vars: {a: "${env:HOME}"}', "HOME"),
    "an expression": ('vars: {a: "${1 + 1}"}', "1 + 1"),
    "a call": ("vars: {a: \"${__import__('os')}\"}", "__import__"),
}
OUTSIDE = {
    "an absolute path": "/etc/passwd",
    "a way up": "../secret.csv",
    "a way up inside": "data/../../secret.csv",
    "a way up in Windows": "..\\\\secret.csv",
    "a drive": "C:\\\\secret.csv",
    "a link that leads out": "link.csv",
}
CSV = "    with: {{x: {{csv: {{file: {}, column: a}}}}}}"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a scenario's folder, next to a file that it must not read."""
    (tmp_path / "secret.csv").write_text("a\nhidden\n")
    (tmp_path / "own" / "data").mkdir(parents=True)
    (tmp_path / "own" / "link.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "own" / "mine.csv").write_text("a\n1\n")
    return tmp_path / "own"


def refusal(text: str, folder: Path) -> str:
    """Load a scenario that has to be refused; return the message."""
    environ = {"ALLOWED": "yes", "HOME": "/home/hidden"}
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "data.yaml", folder, environ=environ)
    assert caught.value.exit_code == 104
    assert "hidden" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", MORE_THAN_DATA)
def test_promise_25_what_is_more_than_data_is_refused(name, folder):
    """With the file, the line if there is one, and the cause; nothing is evaluated."""
    added, says = MORE_THAN_DATA[name]
    said = refusal(f"{GOOD}{added}\n", folder)
    assert says in said
    where = "data.yaml: " if name == "too large" else f"data.yaml:{END + 1}: "
    assert said.startswith(where)


@pytest.mark.parametrize("name", OUTSIDE)
def test_promise_25_files_stay_inside_the_scenarios_folder(name, folder):
    """Paths that lead out are refused; a file in the folder is read."""
    load_text(f"{GOOD}{CSV.format('mine.csv')}\n", "data.yaml", folder, environ={"ALLOWED": ""})
    said = refusal(f"{GOOD}{CSV.format(chr(34) + OUTSIDE[name] + chr(34))}\n", folder)
    assert f"data.yaml:{END + 1}: " in said
    assert "outside the scenario's folder" in said or "leads out" in said


@pytest.mark.process
@pytest.mark.parametrize("name", ["an anchor and its alias", "too large", "a call"])
def test_promise_25_nothing_is_sent_for_a_refused_file(name, tmp_path, run_cli):
    """`mcp-perf run` ends with 104, makes no folder, and connects to nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        path = tmp_path / "data.yaml"
        text = GOOD.replace(":1/mcp", f":{listener.getsockname()[1]}/mcp")
        path.write_text(f"{text}{MORE_THAN_DATA[name][0]}\n")
        ended = run_cli("run", path, "--out", tmp_path / "run", env={"ALLOWED": "", "PATH": ""})
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert ended.code == 104, ended.output
    assert "Traceback" not in ended.output
    assert {entry.name for entry in tmp_path.iterdir()} == {"data.yaml"}

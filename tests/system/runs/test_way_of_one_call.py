"""The number of files that a call passes between the user's class and the socket in a run."""

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.load
MOST_FILES = 6
"""As many as can be read in one sitting."""

# A separate locustfile: THE locustfile, whose users note the call stack at a socket.
LOOKING = """
import json, sys
sys.path[:0] = [{root!r}, {root!r} + "/locustfiles"]
import _socket
import scenario
from locust import events
from scenario import *

ways = set()

def look(frame, event, called):
    at_socket = event == "c_call" and isinstance(getattr(called, "__self__", None), _socket.socket)
    if not at_socket or called.__name__ not in ("send", "recv"):
        return
    way = [called.__name__]
    while frame is not None and frame.f_code.co_filename != scenario.__file__:
        way.append(frame.f_code.co_filename)
        frame = frame.f_back
    if frame is not None:
        ways.add(tuple(way))

take_part = ScenarioUser.take_part

def looked_at(user):
    sys.setprofile(look)
    try:
        take_part(user)
    finally:
        sys.setprofile(None)

ScenarioUser.tasks = [looked_at]

@events.quitting.add_listener
def tell(**_):
    with open({out!r}, "w") as file:
        json.dump(sorted(ways), file)
"""


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """Run echo; return what is called at the socket, and our files above it, bottom first."""
    folder = tmp_path_factory.mktemp("looking")
    locustfile = folder / "looking.py"
    locustfile.write_text(LOOKING.format(root=str(ROOT), out=str(folder / "ways.json")))
    command = [
        sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--scenario", "echo",
        "-u", "2", "-t", "2", "--out", str(folder / "run"), "--set", "load.warmup=0.2s",
        "--set", "load.round=0.2s", "--set", "load.rounds=2",
    ]  # fmt: skip
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert (folder / "ways.json").exists(), done.stderr
    ours = str(ROOT / "mcp_perf") + "/"
    return [
        (called, list(dict.fromkeys(f.removeprefix(ours) for f in files if f.startswith(ours))))
        for called, *files in json.loads((folder / "ways.json").read_text())
    ]


def test_a_call_passes_six_files_at_most(ways):
    """From the user to the bytes that are sent, and to the bytes that are read."""
    assert {called for called, _ in ways} == {"send", "recv"}
    assert [files for _, files in ways if len(files) > MOST_FILES] == []


@pytest.mark.parametrize("client", ["client/mcp/streamable_http.py", "client/http/rest.py"])
def test_both_arms_end_in_the_same_file(ways, client):
    """They differ in one file; the socket is used in one place."""
    through = [files for _, files in ways if client in files]
    assert through
    assert {files[0] for files in through} == {"client/http/connection.py"}

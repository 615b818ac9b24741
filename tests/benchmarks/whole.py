"""What a tools/call costs a whole process, including start and end: ours and its rivals.

Each calls the tool `echo` of one server from sixteen users, tasks or connections for some seconds.
CPU time is the operating system's figure for the process and its children.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_perf.client.protocol import versions
from tests.benchmarks.clients import CALLS, LOCUST, RIVALS
from tests.support import ROOT, foreign

AT_ONCE = 16
ROUND_S = 5


@dataclass(frozen=True)
class Whole:
    """One client that has finished."""

    calls: int
    cpu_s: float
    wall_s: float
    """Includes the start of the process: a minute hides it, three seconds do not."""

    @property
    def cpu_us(self) -> float:
        """CPU time for each call."""
        return self.cpu_s / self.calls * 1e6

    @property
    def per_s(self) -> float:
        """Calls per second."""
        return self.calls / self.wall_s


class NotThere(Exception):  # noqa: N818 -- the table shows it and goes on
    """A rival is not installed."""


def run(command: Sequence[str | Path], **more: str) -> tuple[str, float, float]:
    """Run a client; return what it printed, its CPU time, and how long it took."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | more
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # 91: with a server that answers at once, each client is its own bottleneck.
    assert process.returncode in (0, 91), (command, process.returncode, printed[-2000:])
    return printed, used.ru_utime + used.ru_stime, time.perf_counter() - start


def ours(url: str, folder: Path, seconds: int) -> Whole:
    """Run our whole path with everything on: checks, histograms, journal, report."""
    out = folder / f"whole-{len(list(folder.iterdir()))}"
    (folder / "hot.yaml").write_text(CALLS)
    command = [*LOCUST, "-f", ROOT / "locustfiles", "--scenario", folder / "hot.yaml"]
    rounds = ["--set", f"load.rounds={max(1, seconds // ROUND_S)}"]
    rounds += ["--set", f"load.round={min(seconds, ROUND_S)}s"]
    _, cpu_s, wall_s = run([*command, *rounds, "--target", f"mcp={url}", "--out", out])
    arm = json.loads((out / "report.json").read_text())["arms"]["mcp"]
    return Whole(arm["calls"] + arm["warmup_calls"], cpu_s, wall_s)


def locust(user: str) -> Callable[[str, Path, int], Whole]:
    """Return the command that runs Locust's own user class of this name; no reply is parsed."""

    def measure(url: str, folder: Path, seconds: int) -> Whole:
        result = folder / "rival.json"
        command = [*LOCUST, "-f", RIVALS / "http_users.py", "-t", f"{seconds}s"]
        users = ["-u", str(AT_ONCE), "-r", str(AT_ONCE)]
        more = {"RIVAL_URL": url, "RIVAL_RESULT": str(result), "RIVAL_USER": user}
        _, cpu_s, wall_s = run([*command, *users], **more)
        return Whole(json.loads(result.read_text())["calls"], cpu_s, wall_s)

    return measure


def sdk(url: str, _folder: Path, seconds: int) -> Whole:
    """Run the client of the official Python SDK."""
    command = [sys.executable, RIVALS / "sdk_client.py", url, str(seconds)]
    printed, cpu_s, wall_s = run(command)
    return Whole(json.loads(printed)["calls"], cpu_s, wall_s)


def inspector(url: str, _folder: Path, seconds: int) -> Whole:
    """Run the load option of the official Inspector."""
    try:
        command = foreign.inspector()
    except foreign.Missing as error:
        raise NotThere(str(error)) from None
    call = ["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello"]
    load = ["--load", "--load-concurrency", str(AT_ONCE), "--load-duration", str(seconds)]
    printed, cpu_s, wall_s = run(
        [*command, url, "--transport", "http", "--protocol-era", "modern", *call, *load]
    )
    return Whole(json.loads(printed)["requests"], cpu_s, wall_s)


def stress(url: str, _folder: Path, seconds: int) -> Whole:
    """Run mcp-stress, which npm does not have: it needs Deno and packages from JSR."""
    command = [_found("mcp-stress"), "run", "--json", "--tool", "echo", "--url", url]
    load = ["-c", str(AT_ONCE), "-d", str(seconds)]
    printed, cpu_s, wall_s = run([*command, *load])
    return Whole(json.loads(printed[printed.index("{") :])["totalRequests"], cpu_s, wall_s)


def wrk(url: str, folder: Path, seconds: int) -> Whole:
    """Run wrk, which knows nothing about MCP: the least that such a request can cost."""
    script = folder / "post.lua"
    body, headers = hot_request()
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = [[{body}]]", *lines]))
    load = ["-t1", f"-c{AT_ONCE}", f"-d{seconds}s", "-s", script]
    printed, cpu_s, wall_s = run([_found("wrk"), *load, url])
    assert "Non-2xx" not in printed, printed
    found = re.search(r"(\d+) requests in", printed)
    assert found is not None, printed
    return Whole(int(found[1]), cpu_s, wall_s)


def hot_request() -> tuple[str, dict[str, str]]:
    """Return a `tools/call` request as our client sends it: body and headers."""
    params = {"name": "echo", "arguments": {"message": "hello"}}
    tail = versions.encode_tail("tools/call", versions.modern_params(params, {}, {}))
    return versions.encode_message(7, tail).decode(), dict(
        versions.modern_headers("tools/call", params)
    )


def _found(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotThere(f"{name} is not installed")
    return path


RUNNERS: dict[str, Callable[[str, Path, int], Whole]] = {
    "mcp-perf, all on": ours,
    "FastHttpUser, no checks": locust("Fast"),
    "HttpUser, no checks": locust("Plain"),
    "client of the Python SDK": sdk,
    "MCP Inspector --load": inspector,
    "mcp-stress": stress,
    "wrk, no MCP": wrk,
}

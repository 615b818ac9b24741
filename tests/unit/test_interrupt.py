"""Ctrl-C before a run handles it, pressed right after a module is imported."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from mcp_perf.interrupt import CODE, SAID

pytestmark = pytest.mark.process
_TIMES = "import time:"


def pressed(tmp_path, module: str, times: int, *words: str) -> tuple[int, list[str]]:
    """Start a command, and press Ctrl-C when it has imported a module; return how it ended."""
    command = [sys.executable, "-X", "importtime", "-m", "mcp_perf", *words]
    env = {**os.environ, "MCP_PERF_RUNS": str(tmp_path)}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == module:
                break
        for _ in range(times):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()  # without it, a command that survives would be waited for without end
    return process.returncode, [
        line for line in (out + err).splitlines() if not line.startswith(_TIMES)
    ]


def test_ctrl_c_in_generated_code_changes_no_exit_code(tmp_path):
    """CPython itself would end `python -m` by a signal, even though the exception was caught."""
    (tmp_path / "pressed.py").write_text(
        "import contextlib, sys\n"
        "from mcp_perf import interrupt\n"
        "with contextlib.suppress(KeyboardInterrupt):\n"
        "    exec('raise KeyboardInterrupt')\n"
        "interrupt.leaving()\n"
        "sys.exit(105)\n"
    )
    command = [sys.executable, "-m", "pressed"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == CODE


@pytest.mark.parametrize(
    ("module", "times", "words"),
    [
        ("click.types", 1, ["list"]),
        ("mcp_perf.cli.init", 2, ["agent", "serve"]),
        ("pydantic", 1, ["validate", "echo"]),
        ("gevent.hub", 2, ["check", "http://127.0.0.1:9/mcp"]),
        ("mcp_perf.load.headless", 1, ["web"]),
        ("mcp_perf.load.start", 2, ["run", "echo"]),
    ],
)
def test_ctrl_c_during_the_start_is_answered_by_one_sentence(module, times, words, tmp_path):
    """There is no traceback, and the exit code is 105, at any import and even if pressed twice."""
    assert pressed(tmp_path, module, times, *words) == (CODE, [SAID])

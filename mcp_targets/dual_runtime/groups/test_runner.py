"""Runs a project's tests and checks: pytest, unittest, mypy, flake8."""

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Literal

import anyio

from mcp_targets.dual_runtime.errors import NotFound, TimedOut, ToolFailure
from mcp_targets.dual_runtime.groups.fields import Result, Term, Timeout
from mcp_targets.dual_runtime.tooling.metadata import tool_metadata

_COMMANDS: Final = {
    "pytest": ("pytest", "-q", "-p", "no:cacheprovider"),
    "unittest": ("unittest", "-q"),
    "mypy": ("mypy", "--no-error-summary", "--cache-dir", "/dev/null"),
    "flake8": ("flake8",),
}
_OUTPUT: Final = 4000
"""Characters of output that are returned: the last ones."""
_COUNTS: Final = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


class TestRunner:
    """Run a tool on a path below a root, in a separate process."""

    __test__ = False  # pytest would take a class of this name for tests

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @tool_metadata(
        category="development", runtime="fastapi", cpu_intensive=True, timeout_seconds=120
    )
    async def run_tests(
        self,
        path: Term = ".",
        tool: Literal["pytest", "unittest", "mypy", "flake8"] = "pytest",
        timeout_ms: Timeout = 60_000,
    ) -> Result:
        """Run pytest, unittest, mypy or flake8 on a path."""
        target = self._inside(path)
        if importlib.util.find_spec(_COMMANDS[tool][0]) is None:
            raise ToolFailure("NOT_INSTALLED", f"{tool} is not installed", f"pip install {tool}")
        start = time.perf_counter()
        command = [sys.executable, "-m", *_COMMANDS[tool], str(target)]
        result: subprocess.CompletedProcess[bytes] | None = None
        # Cancelling kills the process.
        with anyio.move_on_after(timeout_ms / 1000):
            result = await anyio.run_process(
                command, check=False, stderr=subprocess.STDOUT, cwd=self._root
            )
        if result is None:
            raise TimedOut("TIMED_OUT", f"{tool} took longer than {timeout_ms / 1000:g} s")
        output = result.stdout.decode("utf-8", "replace")
        counts = {word.rstrip("s"): int(number) for number, word in _COUNTS.findall(output)}
        return {
            "tool": tool,
            "exit_code": result.returncode,
            "ok": result.returncode == 0,
            "counts": counts,
            "output": output[-_OUTPUT:],
            "duration_ms": round((time.perf_counter() - start) * 1000, 3),
        }

    def _inside(self, path: str) -> Path:
        target = (self._root / path).resolve()
        if not target.is_relative_to(self._root):
            raise ToolFailure("OUTSIDE", f"{path!r} is not below the folder that may be tested")
        if not target.exists():
            raise NotFound("NO_SUCH_PATH", f"there is no {path!r}")
        return target

"""A foreign test suite that uses our pytest plugin, run by a separate pytest."""

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def run(
    folder: Path, environment: dict[str, str], tests: str, *arguments: str, gates: str = ""
) -> tuple[int, str]:
    """Write the suite into a folder and run it; return its exit code and all output."""
    (folder / "conftest.py").write_text('pytest_plugins = ["mcp_perf.pytest_plugin.plugin"]\n')
    (folder / "test_it.py").write_text(tests)
    if gates:
        (folder / "gates.yaml").write_text(gates)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    command += ["-p", "pytest_benchmark.plugin", "-c", "/dev/null", "--rootdir", "."]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())

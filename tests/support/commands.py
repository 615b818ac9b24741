"""The commands as a user runs them, each in a separate process."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.forked import NAMES, Forge

BIN = Path(sys.executable).parent
CALM = (
    *("--set", "limits.loop_lag_p99=10s", "--set", "limits.lost_time=100%"),
    *("--set", "limits.generator_cpu=100%"),
)
"""For runs that share two cores with their servers and are not about speed."""
QUICK = (
    *("--set", "load.round=500ms"),
    *("--set", "load.rounds=2"),
    *("--set", "load.warmup=300ms"),
    # A slow machine must not cut anything off.
    *("--set", "limits.drain=60s"),
    *CALM,
)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All output in one line, because tables and messages break lines anywhere."""
        return " ".join(f"{self.stdout} {self.stderr}".split())


def environment() -> dict[str, str]:
    """Return the environment of all commands and servers: no telemetry, no proxies."""
    # These tests may run under pytest-xdist, but the commands must not notice.
    foreign = ("proxy", "pytest_xdist")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.lower() for word in foreign)
    }
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "OTEL_SDK_DISABLED": "true",
        "DO_NOT_TRACK": "1",
    }


def run(
    *argv: object,
    env: dict[str, str],
    timeout: float = 300,
    forge: Forge | None = None,
    **popen,
) -> Ended:
    """Run a command to its end; fork it if there is a forge and the command allows it."""
    path = Path(str(argv[0]))
    ours = path.parent == BIN and path.name in NAMES and popen.keys() <= {"cwd"}
    if forge is not None and ours and _python(env) == _python(environment()):
        line = [str(word) for word in argv]
        cwd = str(popen.get("cwd", Path.cwd()))
        return Ended(*forge.run(line, env=env, cwd=cwd, timeout=timeout))
    ended = subprocess.run(
        [*map(str, argv)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=env,
        **{"stdin": subprocess.DEVNULL} | popen,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _python(env: dict[str, str]) -> dict[str, str]:
    """Return the variables that Python reads when it starts."""
    return {name: value for name, value in env.items() if name.startswith("PYTHON")}

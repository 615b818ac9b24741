"""`mcp-perf doctor` looks whether this machine can measure at all, and how finely.

Every number comes from a run of the real engine against the bundled echo system, whose delays are
known; only clock and timers are looked at directly.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mcp_perf import folders
from mcp_perf.cli.answer import answer, console, in_words, say
from mcp_perf.cli.refused import Fault

if TYPE_CHECKING:
    from mcp_perf.cli.output.findings import Finding

_CALIBRATION: Final = folders.shipped("scenarios") / "calibration"
_WAITS: Final = 200
_LEVELS: Final = (1000, 300, 100, 30)
"""Users tried, the most first."""
_LEVELS_S: Final = 60
"""The longest time that these runs are announced to take."""
_LEVEL_S: Final = 15
"""A level is not tried if less time than this is left."""
_RUN_S: Final = 300
Say = Callable[[str], None]


@click.command()
def doctor() -> None:
    """Examine this machine: can it measure, and how finely? Takes at most 2 1/2 minutes.

    First it shows all settings, and where each comes from.

    \b
    Then it puts the bundled echo system, whose delays are known, under load, and
    compares what was measured. Exit code 0 if all is fine, otherwise 91.

    \b
    Example:
      mcp-perf doctor
    """
    from mcp_perf.cli.output import in_force  # noqa: PLC0415 -- these load rich
    from mcp_perf.cli.output.findings import show  # noqa: PLC0415
    from mcp_perf.settings import in_force as read  # noqa: PLC0415

    settings = read()
    if in_words():
        in_force.show(settings, console())
    found = examine(lambda what: say(f"looking at {what} ...", err=True))
    answer(found, draw=lambda screen: show(found, screen))
    sys.exit(0 if all(finding.fine for finding in found) else 91)


def examine(say: Say) -> "list[Finding]":
    """Examine this machine; `say` gets each step. Raises Fault if a run has no report."""
    from mcp_perf.cli.output import findings  # noqa: PLC0415 -- loads rich

    say("clock and timers")
    found = [findings.clock(_resolution_ns()), findings.timer(_lateness_ns())]
    with tempfile.TemporaryDirectory(prefix="mcp-perf-doctor-") as folder:
        runs = _Runs(Path(folder))
        say("known delays, 20 s")
        known = runs.of("known", "rest={}", flags=f"?delay={findings.MIXTURE}&seed=1")
        found.append(findings.known_delays(known))
        say("the same server twice, 30 s")
        found += findings.noise(runs.of("noise", "one={}/mcp", "other={}/mcp"))
        say("the highest rate, up to 30 s")
        found.append(findings.highest_rate(runs.of("highest_rate", "rest={}")))
        say(f"users at once, up to {_LEVELS_S} s")
        found.append(findings.concurrency(*runs.concurrency()))
    return found


def _resolution_ns() -> int:
    steps = []
    for _ in range(1000):
        before = after = time.perf_counter_ns()
        while after == before:
            after = time.perf_counter_ns()
        steps.append(after - before)
    return min(steps)


def _lateness_ns() -> list[int]:
    """Return how late the alarm of open loads wakes, ascending."""
    from mcp_perf.load.hub.alarm import Alarm  # noqa: PLC0415 -- loads gevent

    alarm = Alarm()
    late = []
    for number in range(_WAITS):
        due_ns = time.perf_counter_ns() + 1_000_000 + 17_000 * (number % 50)
        alarm.wait_until(due_ns)
        late.append(time.perf_counter_ns() - due_ns)
    alarm.close()
    return sorted(late)


class _Runs:
    """The runs of the examination; each starts its own echo system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str, *targets: str, flags: str = "") -> dict[str, Any]:
        """Return the report of a run; `targets` are lines with {} for the system's address."""
        with self._echo(flags) as url:
            return self._run(name, *(target.format(url) for target in targets))

    def concurrency(self) -> tuple[int, dict[str, Any]]:
        """Return the most users that the generator kept up with, and the report of their run."""
        from mcp_perf.cli.output.findings import in_sight  # noqa: PLC0415

        until_s = time.monotonic() + _LEVELS_S
        with self._echo("?delay=100ms") as url:
            for users in _LEVELS:
                report = self._run("concurrency", f"mcp={url}/mcp", users=users)
                if in_sight(report) or time.monotonic() + _LEVEL_S > until_s:
                    break
            return users, report

    @contextmanager
    def _echo(self, flags: str = "") -> Iterator[str]:
        from mcp_perf.load.targets.bundled import Systems  # noqa: PLC0415

        with Systems(self._folder / "systems") as systems:
            yield systems.face(f"echo/rest{flags}").url

    def _run(self, name: str, *targets: str, users: int | None = None) -> dict[str, Any]:
        out = self._folder / f"{name}-{users or 0}"
        argv = [sys.executable, "-P", "-m", "mcp_perf", "run", str(_CALIBRATION / f"{name}.yaml")]
        argv += [part for target in targets for part in ("--target", target)]
        argv += ["--out", str(out), "--format", "json"]
        argv += ["--users", str(users)] if users else []
        piped: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        here = Path(__file__).resolve().parents[2]
        ended = subprocess.run(argv, timeout=_RUN_S, check=False, cwd=here, **piped)  # noqa: S603
        report = out / "report.json"
        if not report.is_file():
            raise Fault(f"the run {name} ended with {ended.returncode}: {ended.stderr}")
        document: dict[str, Any] = json.loads(report.read_text("utf-8"))
        return document

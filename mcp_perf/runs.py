"""Runs from Python: `run` makes one in a separate process, `assert_load` fails unless it passes.

This module does not load Locust, which patches the process.
"""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final, TypedDict, Unpack

from mcp_perf import folders
from mcp_perf.results.document.document import Report

RunSubject = str | PathLike[str] | Sequence[str]
"""The name or file of a scenario, the URL of a server, or the command of a stdio server."""
_FORMATS: Final = "html,json,md"
_TOLD: Final = 20
"""How many of a run's last lines are shown if it has no report."""
_NO_NAME: Final = re.compile(r"[^\w.+-]+")


class RunSettings(TypedDict, total=False):
    """The options of `mcp-perf run` by name. An option that may be repeated takes a list."""

    arm: Sequence[str]
    target: Mapping[str, str]
    """Arm -> address."""
    set: Mapping[str, str | float] | Sequence[str]
    """Path in the scenario -> value: `{"load.users": 50}`."""
    gate: Sequence[str]
    """From here to `bearer_env`: only for a URL or a command. A scenario has these in its file."""
    tool: str | Sequence[str]
    args: Mapping[str, Any]
    rate: float
    requests: int
    header: Mapping[str, str]
    bearer_env: str
    """The name of an environment variable."""
    users: int
    run_time: str
    processes: int
    protocol: str
    baseline: str | PathLike[str]
    tolerance: str
    allow: Sequence[str]
    out: str | PathLike[str]
    """The run's folder; by default a new one in the folder of all runs."""


class NoReport(Exception):  # noqa: N818 -- it says what there is not
    """A run without a report: it was refused, or it never reached its target."""

    def __init__(self, exit_code: int, said: str) -> None:
        super().__init__(f"the run wrote no report (exit code {exit_code}):\n{said}")
        self.exit_code = exit_code
        """One of the codes in the README's table."""


def run(scenario: RunSubject, **settings: Unpack[RunSettings]) -> Report:
    """Make a run, and return its report, whatever the verdict. Raises NoReport."""
    return _made(scenario, settings)[0]


def assert_load(scenario: RunSubject, *gates: str, **settings: Unpack[RunSettings]) -> Report:
    """Make a run, with these gates if it is of a URL or a command; return its report.

    Raises AssertionError with the reasons unless the verdict is PASS, and NoReport if there is
    no report.
    """
    __tracebackhide__ = True
    if gates:
        settings["gate"] = [*settings.get("gate", ()), *gates]
    report, folder = _made(scenario, settings)
    if report.verdict != "PASS":
        reasons = (reason.line for reason in report.reasons)
        raise AssertionError("\n".join([report.verdict, *reasons, f"Report: {folder}"]))
    return report


def command(scenario: RunSubject, settings: RunSettings) -> list[str]:
    """Return the command line of a run."""
    options = [word for name, value in settings.items() for word in _words(name, value)]
    begin = [sys.executable, "-P", "-m", "mcp_perf", "run", "--format", _FORMATS]
    if isinstance(scenario, str | PathLike):
        return [*begin, str(scenario), *options]
    return [*begin, *options, "--", *scenario]


def _words(name: str, value: Any) -> Iterator[str]:
    if name == "args":
        value = json.dumps(value)
    elif isinstance(value, Mapping):
        joined = ": " if name == "header" else "="
        texts = (each if isinstance(each, str) else json.dumps(each) for each in value.values())
        value = [f"{key}{joined}{text}" for key, text in zip(value, texts, strict=True)]
    for each in value if isinstance(value, list | tuple) else [value]:
        yield from (f"--{name.replace('_', '-')}", str(each))


def _made(scenario: RunSubject, settings: RunSettings) -> tuple[Report, Path]:
    """Make a run; return its report, and the folder that holds it."""
    folder = Path(settings.get("out") or _new_folder(scenario))
    with tempfile.TemporaryFile() as said:
        code = _wait(command(scenario, {**settings, "out": folder}), said)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()[-_TOLD:]
    file = folder / "report.json"
    report = Report.model_validate_json(file.read_bytes()) if file.exists() else None
    if report is None or report.exit_code != code:  # the folder may hold an earlier run
        if "out" not in settings:
            with contextlib.suppress(OSError):
                folder.rmdir()  # fails if there is anything in it
        raise NoReport(code, "\n".join(lines))
    return report, folder


def _new_folder(scenario: RunSubject) -> str:
    """Make a folder that no other process uses, named after what is run."""
    folders.make(folders.runs())
    first = scenario if isinstance(scenario, str | PathLike) else scenario[0]
    name = _NO_NAME.sub("-", Path(first).stem)
    return tempfile.mkdtemp(prefix=f"{name}-", dir=folders.runs())


def _wait(argv: Sequence[str], said: IO[bytes]) -> int:
    """Let a child run to its end; return its exit code."""
    child = subprocess.Popen(  # noqa: S603 -- our own module, no shell
        argv,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        process_group=0,  # only we pass Ctrl-C on: a second signal would cut off its calls
    )
    try:
        return child.wait()
    except BaseException:
        child.terminate()  # the child writes its reports, and stops what it started
        child.wait()
        raise

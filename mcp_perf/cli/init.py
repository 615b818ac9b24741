"""`mcp-perf init`: make a scenario from a server."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mcp_perf.cli.answer import answer, say
from mcp_perf.cli.read.runs import FOLDER, writing
from mcp_perf.cli.refused import Refused
from mcp_perf.cli.target import (
    TargetCommand,
    given_of,
    surveyed,
    target_of,
    target_options,
    tell,
    tool_options,
)
from mcp_perf.numbers import counted, said

if TYPE_CHECKING:
    from mcp_perf.load.survey.given import Given
    from mcp_perf.load.survey.survey import Survey

_TIME: Final = "rounds: 6, round: 5s, warmup: 3s"
_USERS: Final = 5
_MARGIN: Final = 3
"""A proposal is this many times what calls took with one user, for each user: it has to hold."""
_LEAST_MS: Final = 50


@contextmanager
def made(name: str, options: dict[str, Any]) -> Iterator[str]:
    """Yield the file of a scenario; if `name` is a target, make one. Raises Refused."""
    from mcp_perf.load.survey.writing import scenario  # noqa: PLC0415

    given = given_of(name, options)
    asked = {key: options.pop(key) for key in ("tool", "args", "rate", "requests", "gate")}
    if given is None:
        if key := next((key for key, value in asked.items() if value), ""):
            raise Refused(f"--{key} cannot be used with a scenario file; write it into the file")
        yield name
        return
    if given.line == name and not given.line.startswith(("stdio:", "python:")):
        options["target"] += (f"mcp={name}",)  # a target that is typed needs no --allow
    _check_gates(asked["gate"])
    found = surveyed(given, asked["tool"], asked["args"])
    given = found.given
    tell(*found.remarks())
    os.environ.update(given.variables)
    with tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        path = Path(folder) / f"{given.name}.yaml"
        steady = bool(options["users"] or asked["gate"])
        load = _load(given, asked["rate"], asked["requests"], steady=steady)
        gates = [json.dumps(gate) for gate in asked["gate"]]
        path.write_text(scenario(given, found.calls, load, base=path.parent, gates=gates), "utf-8")
        try:
            yield str(path)
        finally:
            tell(f"This scenario as a file: mcp-perf init -o my.yaml {given.typed}")


def _check_gates(gates: Sequence[str]) -> None:
    """Raise Refused for what is not a gate, before any tool is tried."""
    from mcp_perf.scenario.model.gates import GateError, parse  # noqa: PLC0415 -- it loads pydantic

    try:
        for gate in gates:
            parse(gate)
    except GateError as error:
        raise Refused(f"--gate: {error.message} - {error.hint}") from None


def _load(given: "Given", rate: float | None, requests: int | None, *, steady: bool) -> str:
    if rate is not None:
        time = f"rounds: 1, round: {requests / rate:.6f}s, warmup: 0s" if requests else _TIME
        return f"{{rate: {rate:g}/s, {time}}}"
    if requests is not None:
        return f"{{users: 10, journeys: {requests}, rounds: 1, round: 10m, warmup: 0s}}"
    if steady:
        return f"{{users: 10, {_TIME}}}"
    from mcp_perf.load.prepare.permission import MOST_USERS  # noqa: PLC0415 -- it loads Locust

    return f"{{shape: doubling, users: {MOST_USERS if given.is_public else 256}}}"


_FILE = "The scenario file to write."


@click.command(cls=TargetCommand)
@click.argument("target", default="", metavar="[URL | -- _COMMAND...]")
@click.option("-o", "--output", type=FOLDER, required=True, metavar="FILE", help=_FILE)
@target_options
@tool_options
def init(target: str, output: Path, tool: Sequence[str], args: str | None, **how: Any) -> None:
    """Write a scenario that calls a server's tools, with arguments that work.

    It also writes mcp-perf.schema.json next to it, for completion in editors.

    \b
    The gates are proposals, based on single calls. Tools that may
    destroy something are never called; choose others with --tool.

    \b
    From a recording, each session becomes a journey with its pauses. What a call
    took from an earlier answer is saved there and reused.

    \b
    Examples:
      mcp-perf init http://127.0.0.1:8000/mcp -o my.yaml
      mcp-perf init -o my.yaml -- npx -y @modelcontextprotocol/server-everything
      mcp-perf init --from .vscode/mcp.json my-server -o my.yaml
      mcp-perf init --from recording.jsonl -o my.yaml
    """
    from mcp_perf.load.hub.redaction import clean, redactor  # noqa: PLC0415
    from mcp_perf.load.survey.writing import scenario  # noqa: PLC0415
    from mcp_perf.scenario.schema import FIRST_LINE, keep  # noqa: PLC0415
    from mcp_perf.scenario.values.recordings import is_recording  # noqa: PLC0415

    file = how["from"]
    given = target_of(target, how)
    if any(value and value in given.line for value in given.variables.values()):
        raise Refused("the command or URL contains a typed-in secret; write it in env or headers")
    _check(output)
    if file and is_recording(Path(file)):
        if tool or args:
            raise Refused("--tool and --args cannot be used with a recording")
        text, lines = _recorded(given, Path(file), output)
        tools: list[str] = []
    else:
        found = surveyed(given, tool, args)
        given, remarks, tools = found.given, found.remarks(), list(found.calls)
        about: dict[str, Any] = {"gates": _proposed(found), "remarks": remarks}
        load = f"{{users: {_USERS}, {_TIME}}}"
        text = scenario(given, found.calls, load, base=output.parent, **about)
        lines = [f"{counted(len(tools), 'tool')} ({', '.join(tools)})", *remarks]
    with writing(output, "file with -o"):
        output.write_text(FIRST_LINE + text, "utf-8")
        keep(output.parent)
    missing = sorted(given.variables.keys() - os.environ.keys())
    exports = [f"Before a run: export {name}=…" for name in missing]
    document = {"file": str(output), "tools": tools, "export": missing}
    answer(redactor.everywhere(document), clean(f"{output}: {lines[0]}"))
    tell(*lines[1:])
    for line in exports:  # not redacted: `AUTHORIZATION=…` looks like a secret
        say(line, err=True)


def _recorded(given: "Given", file: Path, output: Path) -> tuple[str, list[str]]:
    """Return a scenario of a recording, and what to say about it. Raises Refused."""
    from mcp_perf.agent.recording.journeys import made as of_recording  # noqa: PLC0415
    from mcp_perf.scenario.loader import ScenarioError, load_text  # noqa: PLC0415
    from mcp_perf.scenario.values.recordings import read_recording  # noqa: PLC0415

    recording = read_recording(file)
    text, remarks = of_recording(recording, given, file, output.parent)
    try:
        load_text(text, str(output), output.parent, environ={**os.environ, **given.variables})
    except ScenarioError as error:
        raise Refused(*(f"{file}: {one.message} - {one.hint}" for one in error.problems)) from None
    return text, [f"{counted(len(recording.sessions), 'session')} of {file}", *remarks]


def _proposed(found: "Survey") -> list[str]:
    """Propose gates that hold for the load of the file if calls only wait for each other.

    No call can take longer than its timeout, so a bound beyond that would mean nothing.
    """
    from mcp_perf.load.survey.writing import TIMEOUT_S  # noqa: PLC0415 -- it loads pydantic

    calm = sorted(time for times in found.times_ms.values() for time in times)
    if not calm:
        return ["mcp.error_rate < 1%"]
    p95 = calm[int(0.95 * (len(calm) - 1))]
    wanted = min(max(_LEAST_MS, p95 * _MARGIN * _USERS), TIMEOUT_S * 1000)
    digits = 10 ** (len(str(int(wanted))) - 1)
    bound = -(-int(wanted) // digits) * digits
    return [
        "mcp.error_rate < 1% # a proposal",
        f"mcp.p95 < {bound}ms # a proposal: 95 % of the calls took {said(p95, 'ms')}, one by one",
    ]


def _check(output: Path) -> None:
    from mcp_perf.scenario.catalog import SUFFIXES  # noqa: PLC0415

    if output.exists():
        raise Refused(f"{output} already exists; name another file")
    if output.suffix not in SUFFIXES:
        raise Refused(f"-o {output}: the name of a scenario must end in {SUFFIXES[0]}")
    if not output.parent.is_dir():
        where = f"there is no folder {output.parent}; create it, or name another"
        raise Refused(f"-o {output}: {where}")

"""A baseline: what earlier runs measured, in a JSON file that CI keeps next to the code.

Schema `mcp-perf/baseline/1`: identities and the values of each round, nothing that a target or a
user wrote but names. It is small enough to be committed, and diffs line by line.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from mcp_perf.outcomes import ENDED
from mcp_perf.results.document.document import ArmNumbers, Report, RoundNumbers
from mcp_perf.results.document.run_numbers import ArmRounds, RunIdentity, RunNumbers
from mcp_perf.results.tally.metrics import COMPARED, JOURNEY_PREFIX

SCHEMA: Final = "mcp-perf/baseline/1"
_HINT: Final = "write one with mcp-perf baseline save RUN"
MACHINE: Final = ("cpu", "cores", "os")
_VERSIONS: Final = ("python", "locust", "mcp_perf", "gevent")
_STEADY: Final = ("constant", "smoke", "soak")
"""Shapes whose rounds are all alike: more of them are more evidence under the same load."""


class BaselineError(Exception):
    """A baseline that cannot be read: what is wrong, and what to do."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    schema: str
    runs: list[RunNumbers]


def identity(
    scenario: str,
    workload: Mapping[str, str],
    load: Mapping[str, Any],
    environment: Mapping[str, Any],
    protocols: Mapping[str, str] = MappingProxyType({}),
) -> RunIdentity:
    """Return the identity of a run from what its first record says.

    `protocols` are arm -> negotiated version, as far as they are known yet.
    """
    steady = load.get("shape", "constant") in _STEADY
    left_out = {"order", "rounds"} if steady else {"order"}
    kept = {name: value for name, value in load.items() if name not in left_out}
    versions = {name: str(environment[name]) for name in _VERSIONS if name in environment}
    spoken = {f"protocol of {arm}": version for arm, version in protocols.items() if version}
    return RunIdentity(
        scenario=scenario,
        workload=dict(workload),
        load=msgspec.json.decode(msgspec.json.encode(kept)),
        machine={name: environment.get(name) for name in MACHINE},
        versions={**versions, **spoken},
    )


def of_report(report: Report) -> RunNumbers:
    """Return what a comparison needs of a report."""
    about = {name: getattr(report, name) for name in ("run_id", "started", "verdict", "complete")}
    return run_numbers(report.scenario, report.environment, report.arms, **about)


def run_numbers(
    scenario: str, environment: Mapping[str, Any], arms: Mapping[str, ArmNumbers], **about: Any
) -> RunNumbers:
    """Return what a comparison needs of a run; `about` has its id, start, verdict and so on."""
    load, workload = environment.get("load", {}), environment.get("workload", {})
    protocols = {name: arm.protocol for name, arm in arms.items()}
    found = identity(scenario, workload, load, environment, protocols)
    numbers = {name: of_arm(arm) for name, arm in arms.items()}
    return RunNumbers(identity=found, arms=numbers, **about)


def of_arm(arm: ArmNumbers) -> ArmRounds:
    """Return what a comparison needs of an arm."""
    measured = [part for part in arm.rounds if part.phase == "round"]
    pooled = {metric: read_metric(arm, metric) for metric in COMPARED}
    ended = sum(n for cls, n in arm.classes.items() if cls in ENDED)
    return ArmRounds(
        values={metric: value for metric, value in pooled.items() if value is not None},
        rounds={metric: [read_metric(part, metric) for part in measured] for metric in COMPARED},
        calls=arm.calls,
        ended=ended,
        # Not from the classes: results that no schema checked count like those that one did.
        failed=round((arm.error_rate or 0.0) * ended),
        planned=arm.planned,
        dropped=arm.dropped,
        journeys=arm.journeys_done,
        steps=[name for name, step in arm.steps.items() if step.count],
    )


def pooled(parts: Sequence[ArmRounds]) -> ArmRounds:
    """Pool one arm of several runs: counts are added, values are means over the runs."""
    counts = ("calls", "ended", "failed", "planned", "dropped", "journeys")
    return ArmRounds(
        values={
            metric: math.fsum(part.values[metric] for part in parts) / len(parts)
            for metric in parts[0].values
            if all(metric in part.values for part in parts)
        },
        rounds={
            metric: [value for part in parts for value in part.rounds.get(metric, ())]
            for metric in COMPARED
        },
        steps=list(dict.fromkeys(step for part in parts for step in part.steps)),
        **{count: sum(getattr(part, count) for part in parts) for count in counts},
    )


def read_metric(part: ArmNumbers | RoundNumbers, metric: str) -> float | None:
    """Read a metric of an arm, or of one of its rounds."""
    fields = {"throughput": "throughput_per_s"}
    if metric in ("throughput", "calls_per_s", "error_rate"):
        value: float | None = getattr(part, fields.get(metric, metric))
        return value
    if metric.startswith(JOURNEY_PREFIX):
        times = part.ranked_journey_ms or part.journey_ms
    else:
        times = part.ranked_ms or part.latency_ms
    time: float | None = getattr(times, metric.removeprefix(JOURNEY_PREFIX))
    return time


def write(runs: Sequence[RunNumbers], path: Path) -> None:
    """Write a baseline; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.encode(_File(schema=SCHEMA, runs=list(runs)))
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(msgspec.json.format(content, indent=1) + b"\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> list[RunNumbers]:
    """Read a baseline. Raises BaselineError, in words for the user."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BaselineError(f"{path} cannot be read ({error.strerror}); {_HINT}") from None
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path} is not a baseline ({error}); {_HINT}") from None
    if file.schema != SCHEMA:
        other = f"has the schema {file.schema!r}, but this mcp-perf reads {SCHEMA}"
        raise BaselineError(f"{path} {other}; make a new one with mcp-perf baseline save RUN")
    if not file.runs or not all(run.arms for run in file.runs):
        raise BaselineError(
            f"{path} does not contain any arm; make a new one with mcp-perf baseline save RUN"
        )
    for name, arm in ((name, arm) for run in file.runs for name, arm in run.arms.items()):
        if arm.failed > arm.ended or ("error_rate" in arm.values and not arm.ended):
            wrong = f"{arm.failed} calls of {name} failed, but {arm.ended} ended"
            raise BaselineError(f"{path} contradicts itself ({wrong}); {_HINT}")
    return file.runs

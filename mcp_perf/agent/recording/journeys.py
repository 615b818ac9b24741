"""Makes a scenario from a recording: each session becomes a journey."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcp_perf.agent.recording.links import Links
from mcp_perf.client.protocol.requests import LISTS
from mcp_perf.load.survey.given import Given
from mcp_perf.load.survey.writing import TIMEOUT_S, as_yaml, escaped, written
from mcp_perf.outcomes import OK
from mcp_perf.results.journal.redact import REDACTED
from mcp_perf.scenario.checks.sessions import MOST_AT_ONCE
from mcp_perf.scenario.checks.size import MOST_JOURNEYS, MOST_LOOKUPS, MOST_STEPS
from mcp_perf.scenario.source.yaml_reader import MOST_BYTES
from mcp_perf.scenario.values.recordings import JOURNEY, STEPS, RecordedCall, Recording

_LISTED: Final = {method: what for what, method in LISTS.items()}
_USERS: Final = 5
_SHORT_S: Final = 5
_ROUNDS: Final = 6
_MINUTE_S: Final = 60


def made(recording: Recording, given: Given, file: Path, base: Path) -> tuple[str, list[str]]:
    """Return the scenario of a recording, to be kept in the folder `base`, and remarks on it."""
    weights = Counter(recording.leaders().values())
    sessions = list(recording.sessions.values())
    lines = ["\n# One for each session: its calls, and the pauses between them.", "journeys:"]
    remarks = [f"Not replayed: {count} {what}" for what, count in recording.left.items()]
    if REDACTED in recording.target:
        remarks.append(f"The target contained a secret: write it in place of {REDACTED}")
    steps = 0
    for count, (number, weight) in enumerate(weights.items()):
        groups = _groups(sessions[number - 1])
        weighted = [f"    weight: {weight}"] if weight > 1 else []
        head = [f"  {JOURNEY.format(number)}:", *weighted, "    steps:"]
        journey = [*head, *_journey(groups)]
        steps += sum(len(group) + 2 for group in groups)
        text = "\n".join([*lines, *journey])
        full = len(text.encode()) > MOST_BYTES // 2 or text.count("${") > MOST_LOOKUPS // 2
        if count and (full or steps > MOST_STEPS or count == MOST_JOURNEYS):
            remarks.append(f"Left out: sessions from {number} on, because a file cannot hold more")
            break
        lines += journey
    times = f"load: {{replay: {file.name}}}"
    replayed = f"At the recorded times: {times}, with the file next to this one"
    longest_s, load = _load(sessions)
    slowest_ms = max(call.ms for calls in sessions for call in calls)
    text = written(
        given,
        lines,
        load,
        base=base,
        remarks=[*remarks, replayed],
        timeout_s=max(TIMEOUT_S, math.ceil(3 * slowest_ms / 1000)),
        longest_s=math.ceil(longest_s),
    )
    return text, remarks


def _load(sessions: Sequence[list[RecordedCall]]) -> tuple[float, str]:
    """Return how long the longest session took, and a load whose rounds it fits into."""
    longest_s = max((max(c.end_ms for c in calls) - calls[0].at_ms) / 1000 for calls in sessions)
    pauses = [pause for calls in sessions for pause, _ in _paused(_groups(calls)) if pause]
    round_s = max(_SHORT_S, math.ceil(1.5 * longest_s))
    rounds = max(1, min(_ROUNDS, 2 * _MINUTE_S // round_s))
    think = f", think: {{min: 0s, max: {2 * sum(pauses) / len(pauses):.0f}ms}}" if pauses else ""
    warmup = 1 if longest_s < 1 else 0
    return longest_s, (
        f"{{users: {_USERS}, rounds: {rounds}, round: {round_s}s, warmup: {warmup}s{think}}}"
    )


def _groups(calls: Sequence[RecordedCall]) -> list[list[RecordedCall]]:
    """Group calls that overlapped."""
    groups: list[list[RecordedCall]] = []
    end_ms = -math.inf
    for call in calls:
        if call.at_ms >= end_ms or len(groups[-1]) == MOST_AT_ONCE:
            groups.append([])
        groups[-1].append(call)
        end_ms = max(end_ms, call.end_ms)
    return groups


def _paused(groups: Sequence[list[RecordedCall]]) -> Iterator[tuple[int, list[RecordedCall]]]:
    """Yield each group, and the pause before it in ms."""
    end_ms = groups[0][0].at_ms
    for group in groups:
        yield max(0, round(group[0].at_ms - end_ms)), group
        end_ms = max(call.end_ms for call in group)


def _journey(groups: Sequence[list[RecordedCall]]) -> Iterator[str]:
    links = Links()
    written_steps: list[tuple[int, list[dict[str, Any]]]] = []
    for pause_ms, group in _paused(groups):
        steps = [{**_step(call, links), **_ending(call)} for call in group]
        for call in group:
            links.said(call.arguments)
        for call, step in zip(group, steps, strict=True):
            links.got(call.result, step.setdefault("save", {}))
        written_steps.append((pause_ms, steps))
    for pause_ms, steps in written_steps:
        if pause_ms:
            yield f"      - wait: {pause_ms}ms"
        if len(steps) == 1:
            yield from _block(steps[0])
        else:
            yield "      - parallel:"
            yield from (f"          - {as_yaml(_filled(step))}" for step in steps)


def _block(step: Mapping[str, Any]) -> Iterator[str]:
    first = "- "
    for key, value in _filled(step).items():
        yield f"      {first}{key}: {as_yaml(value)}"
        first = "  "


def _filled(step: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if value or key in STEPS.values()}


def _step(call: RecordedCall, links: Links) -> dict[str, Any]:
    kind, told = STEPS[call.method], call.arguments or {}
    if kind == "call":
        return {"call": call.tool, "arguments": links.linked(told)}
    if kind == "read":
        return {"read": links.linked(told.get("uri", ""), "uri")}
    if kind == "prompt":
        arguments = links.linked(_mapping(told, "arguments"))
        return {"prompt": told.get("name", ""), "arguments": arguments}
    if kind == "list":
        return {"list": _LISTED[call.method]}
    about, argument = (_mapping(told, key) for key in ("ref", "argument"))
    of = {"prompt": about["name"]} if "name" in about else {"resource": about.get("uri", "")}
    what = {"argument": argument.get("name", ""), "value": argument.get("value", "")}
    return {"complete": escaped({**of, **what})}


def _mapping(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = told.get(key)
    return found if isinstance(found, dict) else {}


def _ending(call: RecordedCall) -> dict[str, Any]:
    return {} if call.outcome == OK else {"expect": {"class": call.outcome}}

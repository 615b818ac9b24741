"""Asks a server for its tools, and tries each tool that may be called."""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any, Final

from mcp_perf.client.errors import TargetError
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol.requests import Call
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.protocol.versions import server_info
from mcp_perf.client.reply import Reply
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.steps.compile import validator
from mcp_perf.load.survey.arguments import NoArguments, arguments, filled
from mcp_perf.load.survey.choice import choose
from mcp_perf.load.survey.given import Given
from mcp_perf.load.survey.writing import ARM, TIMEOUT_S, scenario
from mcp_perf.load.targets import confidential
from mcp_perf.load.targets.bundled import Systems
from mcp_perf.load.targets.clients import McpSession, session
from mcp_perf.load.targets.refusal import UNREACHABLE, Refusal
from mcp_perf.load.targets.targets import ArmTarget, reach_all
from mcp_perf.numbers import counted
from mcp_perf.outcomes import OK, TIMEOUT
from mcp_perf.scenario.loader import ScenarioError, load_text

Chosen = Mapping[str, Mapping[str, Any] | None]
"""The tools that the user named, some with their arguments."""
Confirm = Callable[[Sequence[str]], bool]
"""Asks a person whether tools may be called that are not known to be harmless."""
_TRIES: Final = 3
"""Attempts for each tool, each with other arguments."""
_TRIES_S: Final = 20.0
_MOST_TOOLS: Final = 30
_CALM_S: Final = 3.0
_CALM_CALLS: Final = 10
"""The most calls of each tool, one after the other."""
_IDLE: Final = "{users: 1}"
_TRIAL: Final = secrets.token_hex(3)
"""A part of every name that a trial makes; no other trial and no run uses it."""
_BY_NAME: Final = " (to call one: --tool NAME)"


@dataclass
class Survey:
    """What was learned about a server."""

    given: Given
    target: ArmTarget
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The tools whose call was ok -> the arguments of that call."""
    times_ms: dict[str, list[float]] = field(default_factory=dict)
    """How long their calls took, one at a time."""
    left: dict[str, str] = field(default_factory=dict)
    """The tools that are not called -> why."""

    def remarks(self) -> list[str]:
        """Say which tools are not called, and why."""
        reasons = dict.fromkeys(self.left.values())
        named = {why: [name for name in self.left if self.left[name] == why] for why in reasons}
        return [f"Not called: {', '.join(names)}: {why}" for why, names in named.items()]


@contextmanager
def reached(given: Given, folder: Path) -> Iterator[ArmTarget]:
    """Reach a target; a bundled system runs until the end of the block. Raises Refusal."""
    text = scenario(given, {}, _IDLE, base=Path())
    environ = {**os.environ, **given.variables}
    try:
        loaded = load_text(text, given.name, Path(), environ=environ)
    except ScenarioError as error:
        raise Refusal(*(f"{one.message} - {one.hint}" for one in error.problems)) from None
    hide([*given.variables.values(), *confidential.of_run(loaded, (), [given.line])])
    with Systems(folder) as systems:
        target = reach_all(loaded, systems, {}, {}, folder)[ARM]
        try:
            yield target
        except TargetError as error:
            raise Refusal(f"{ARM}: {error}", code=UNREACHABLE) from error


@contextmanager
def opened(target: ArmTarget, protocol: str = "auto", **how: Any) -> Iterator[McpSession]:
    """Open a session. Raises TargetError."""
    client = session(target.url, target.destination, protocol, **how)
    try:
        client.negotiate()
        yield client
    finally:
        client.close()


class Seen:
    """Keeps the replies to all requests that are not calls."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, Reply]] = []

    def __call__(self, method: str, reply: Reply) -> None:
        self.replies.append((method, reply))

    def result(self, *methods: str) -> dict[str, Any]:
        """Return the last result of one of these methods; an empty one if there is none."""
        found = [reply for method, reply in self.replies if method in methods]
        results = [jsonrpc.result_of(reply) for reply in found if reply.outcome == OK]
        return results[-1] if results else {}

    def server(self) -> dict[str, Any]:
        """Return the name and the version that the server gives itself."""
        return server_info(self.result("server/discover", "initialize"))


def survey(given: Given, folder: Path, asked: Chosen, confirm: Confirm) -> Survey:
    """Learn what can be called by trying it. Raises Refusal, also if nothing can be called."""
    with reached(given, folder) as target:
        tools = target.tools or {}
        found = Survey(given, target)
        for name in _chosen(tools, asked, confirm, found.left):
            found.calls[name] = {}
        with opened(target, observe=(seen := Seen())) as client:
            found.given = given.called(str(seen.server().get("name")))
            until_s = time.monotonic() + _TRIES_S
            for name in [*found.calls]:
                if time.monotonic() < until_s:
                    _try_out(client, tools[name], asked.get(name), found)
                else:
                    del found.calls[name]
                    found.left[name] = f"trying the others took {_TRIES_S:g} s{_BY_NAME}"
            _measure(client, tools, found)
    if not found.calls and asked:
        raise Refusal(*found.remarks())
    if not found.calls:
        word = f"{counted(len(tools), 'tool')}: {', '.join(tools)}" if tools else "no tools"
        usable = next((name for name in tools if name not in choose(tools).never), "")
        copied = f"To call one: mcp-perf run --tool {quote(usable)} {given.typed}"
        told = [*found.remarks(), *([copied] if usable else [])]
        raise Refusal(f"no tool can be called safely: the server has {word}", *told)
    return found


def _chosen(
    tools: Mapping[str, Tool], asked: Chosen, confirm: Confirm, left: dict[str, str]
) -> list[str]:
    if unknown := [name for name in asked if name not in tools]:
        raise Refusal(f"there is no tool {unknown[0]!r}; the server has {', '.join(tools)}")
    choice = choose(tools, [*asked])
    never = [name for name in choice.never if not asked or name in asked]
    left |= dict.fromkeys(never, "it may destroy something")
    if asked:
        return [*choice.called]
    sure = not choice.doubtful or confirm(choice.doubtful)
    called = [*choice.called, *(choice.doubtful if sure else ())]
    for name in () if sure else choice.doubtful:
        left[name] = f"it is not known to be harmless{_BY_NAME}"
    for name in called[_MOST_TOOLS:]:
        left[name] = f"{_MOST_TOOLS} other tools are called already{_BY_NAME}"
    return called[:_MOST_TOOLS]


def _try_out(client: McpSession, tool: Tool, own: Mapping[str, Any] | None, found: Survey) -> None:
    """Find arguments with which the call of a tool is ok, or say why there are none."""
    why = ""
    for seed in range(1, 2 if own is not None else _TRIES + 1):
        try:
            made = dict(own) if own is not None else arguments(tool.name, tool.input_schema, seed)
            _is_writable(found.given, tool.name, made)
        except (NoArguments, ScenarioError) as error:
            why = why or str(error)
            break
        if own is not None and (problem := validator(tool)(filled(made, "1"))):
            raise Refusal(f"--args: {problem}")
        reply = _called(client, tool, made, seed)
        if reply.outcome == OK:
            found.calls[tool.name] = made
            return
        why = f"{reply.outcome} for {json.dumps(filled(made, _TRIAL))}: {reply.detail}"
        if reply.outcome == TIMEOUT:
            break
    del found.calls[tool.name]
    other = f"to call it with other arguments: --tool {tool.name} --args JSON"
    found.left[tool.name] = f"{why} ({other})"


def _is_writable(given: Given, tool: str, made: Mapping[str, Any]) -> None:
    """Raise ScenarioError if a scenario cannot hold a call, such as for its name or a number."""
    text = scenario(replace(given, headers={}, env={}), {tool: made}, _IDLE, base=Path())
    load_text(text, tool, Path(), environ={})


def _called(client: McpSession, tool: Tool, made: Mapping[str, Any], number: int) -> Reply:
    return client.call(Call(tool, None), filled(made, f"{_TRIAL}-{number}"), TIMEOUT_S)


def _measure(client: McpSession, tools: Mapping[str, Tool], found: Survey) -> None:
    """Call each tool a few times, one call after the other."""
    until_s = time.monotonic() + _CALM_S
    for number in range(_CALM_CALLS):
        for name, made in found.calls.items():
            if time.monotonic() > until_s:
                return
            reply = _called(client, tools[name], made, _TRIES + 1 + number)
            if reply.outcome == OK:
                taken_ms = (reply.end_ns - reply.start_ns) / 1e6
                found.times_ms.setdefault(name, []).append(taken_ms)

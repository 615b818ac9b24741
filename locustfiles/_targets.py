"""Where calls go: addresses resolved, systems started, sessions tried, before any load begins."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from locustfiles._dialog import credentials, script_of
from locustfiles._refusal import CONFIGURATION, UNREACHABLE, Refusal
from mcp_targets.client.answers import SILENT, Answers
from mcp_targets.client.eras import HANDSHAKE, MODERN
from mcp_targets.client.errors import CallTimeout, ConnectError, TargetError
from mcp_targets.client.exchange import Endpoint
from mcp_targets.client.http_session import Credentials
from mcp_targets.client.mcp import McpClient
from mcp_targets.client.tools import Tool
from mcp_targets.rest import RestClient
from mcp_targets.systems.launcher import Face, SystemFailed, Systems, UnknownSystem
from scenarios.loader import Loaded
from scenarios.lookups import compile_template
from scenarios.model import Arm

SYSTEM: str = "system:"


@dataclass(frozen=True, slots=True)
class ArmTarget:
    """One arm's target, reached."""

    arm: str
    kind: str
    """`mcp` or `http`."""
    url: str
    endpoint: Endpoint
    variables: Mapping[str, Any]
    """What lookups of this arm know beside the journey's own values."""
    version: str = ""
    """The negotiated MCP protocol version; empty for `http`."""
    tools: Mapping[str, Tool] | None = None
    tools_list_bytes: int = 0
    pids: Mapping[str, int] = field(default_factory=dict)
    """The processes of a bundled system that do this arm's work, by name."""
    script: Answers = SILENT
    """What its clients answer when the server asks."""
    credentials: Credentials | None = None
    """What gives its clients their token; all of this process share it."""


def reach_all(
    loaded: Loaded, systems: Systems, pointed: Mapping[str, str], common: Mapping[str, str]
) -> dict[str, ArmTarget]:
    """Resolve, start and try all targets. Raises Refusal, naming every one that failed.

    `pointed` replaces the addresses of arms; `common` are variables that every arm knows.
    """
    reached: dict[str, ArmTarget] = {}
    failed: list[Refusal] = []
    for name, arm in loaded.scenario.arms.items():
        try:
            face = _locate(pointed.get(name, arm.address), systems)
            target = reach(name, arm, loaded, face.url, {**face.variables, **common})
            reached[name] = replace(target, pids=face.pids)
        except Refusal as refusal:
            failed.append(refusal)
    if failed:
        worst = min(refusal.exit_code for refusal in failed)
        lines = [line for refusal in failed for line in refusal.lines]
        raise Refusal(worst, lines, keep_logs=any(refusal.keep_logs for refusal in failed))
    return reached


def reach(
    name: str, arm: Arm, loaded: Loaded, url: str, provided: Mapping[str, Any], version: str = ""
) -> ArmTarget:
    """Try one target: connect, negotiate, list its tools. Raises Refusal."""
    endpoint = _endpoint(name, arm, loaded, url)
    own = compile_template({**loaded.scenario.vars, **arm.vars}, env=loaded.env).render({})
    variables = {**provided, **own}
    try:
        if arm.kind == "http":
            client = RestClient(endpoint)
            client.ready()
            client.close()
            return ArmTarget(name, arm.kind, url, endpoint, variables)
        script, token = script_of(name, loaded), _credentials(name, arm, loaded, url)
        session = McpClient(endpoint, version or arm.protocol, answers=script, credentials=token)
        negotiated = session.negotiate()
        tools = session.list_tools()
        session.close()
    except ConnectError as error:
        raise Refusal(
            UNREACHABLE,
            [f"{name}: cannot reach {url} ({error}). Is the server running at this address?"],
        ) from error
    except CallTimeout as error:
        raise Refusal(
            UNREACHABLE,
            [f"{name}: {url} accepts, but gives no answer in {arm.timeout:g} s ({error})"],
        ) from error
    except TargetError as error:
        raise Refusal(
            UNREACHABLE, [f"{name}: {url} answers, but not as an MCP server: {error}"]
        ) from error
    return ArmTarget(
        name,
        arm.kind,
        url,
        endpoint,
        variables,
        negotiated,
        tools,
        session.tools_list_bytes,
        script=script,
        credentials=token,
    )


def unknown_tools(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each tool that a step calls and its server does not list."""
    problems = [
        _no_such_tool(journey_name, arm, str(step.subject), tools)
        for journey_name, journey in loaded.scenario.journeys.items()
        for arm, steps in journey.steps.items()
        if arm in targets and (tools := targets[arm].tools) is not None
        for step in steps
        if step.action == "call" and step.subject not in tools
    ]
    return list(dict.fromkeys(problems))


def unspoken(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each step whose method is not in the version that its server speaks."""
    problems = [
        f"journey {name}, arm {arm}: {MODERN} has no ping. Remove the step, or write "
        f"protocol: {HANDSHAKE[0]} for the arm"
        for name, journey in loaded.scenario.journeys.items()
        for arm, steps in journey.steps.items()
        if arm in targets and targets[arm].version == MODERN
        for step in steps
        if step.action == "ping"
    ]
    return list(dict.fromkeys(problems))


def _no_such_tool(journey: str, arm: str, tool: str, tools: Mapping[str, Tool]) -> str:
    near = difflib.get_close_matches(tool, tools, n=3, cutoff=0.4)
    known = near or sorted(tools)[:5]
    shown = ", ".join(known) if known else "none at all"
    word = "Nearest" if near else "It lists"
    return f"journey {journey}, arm {arm}: the server has no tool {tool!r}. {word}: {shown}"


def _locate(address: str, systems: Systems) -> Face:
    if not address.startswith(SYSTEM):
        return Face(address, {})
    try:
        return systems.face(address.removeprefix(SYSTEM))
    except UnknownSystem as error:
        raise Refusal(CONFIGURATION, [str(error)]) from error
    except SystemFailed as error:
        raise Refusal(UNREACHABLE, [str(error)], keep_logs=True) from error


def _credentials(name: str, arm: Arm, loaded: Loaded, url: str) -> Credentials | None:
    try:
        return credentials(arm, loaded, url)
    except ValueError as error:
        raise Refusal(CONFIGURATION, [f"arm {name}: auth: {error}"]) from error


def _endpoint(name: str, arm: Arm, loaded: Loaded, url: str) -> Endpoint:
    headers = compile_template(dict(arm.headers), env=loaded.env).render({})
    try:
        return Endpoint.of(
            url,
            headers=headers,
            timeout_s=arm.timeout,
            verify=arm.tls.verify,
            ca=None if arm.tls.ca is None else str(loaded.base / arm.tls.ca),
        )
    except ValueError as error:
        raise Refusal(CONFIGURATION, [f"arm {name}: {error}"]) from error

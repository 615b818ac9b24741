"""Where calls go. Before any load, addresses are resolved, systems started, sessions tried."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mcp_perf.client.channels.inprocess import Code, find_function
from mcp_perf.client.channels.legacy_sse import SseChannel
from mcp_perf.client.channels.stdio import Command
from mcp_perf.client.errors import CallTimeout, ConnectError, NegotiationError, TargetError
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.messenger import Credentials
from mcp_perf.client.protocol.answers import SILENT, Responder
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.protocol.versions import HANDSHAKE, MODERN
from mcp_perf.load.targets.answers import script_of
from mcp_perf.load.targets.bundled import Face, SystemFailed, Systems, UnknownSystem
from mcp_perf.load.targets.clients import destination, session
from mcp_perf.load.targets.personal import NOBODY, Destination, Identity, Personal
from mcp_perf.load.targets.proxies import unused
from mcp_perf.load.targets.refusal import UNREACHABLE, Refusal
from mcp_perf.scenario.loader import Loaded, unknown_names
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.model.steps import Step, flat
from mcp_perf.scenario.model.targets import split_target
from mcp_perf.scenario.values.templates import compile_template

SYSTEM: str = "system:"
_FALLBACK_S: Final = 2.0
_MOST_NAMES: Final = 1000
_LONGEST_NAME: Final = 128
"""Of the names that a missing tool is compared with, because the time grows with their number and
length. Longer names are against the specification (2025-11-25, "Tool Names")."""

logger = logging.getLogger("mcp-perf")


@dataclass(frozen=True, slots=True)
class ArmTarget:
    """One arm's target, after it was reached."""

    arm: str
    kind: str
    """`mcp`, `http` or `python`."""
    url: str
    """A line of `mcp_perf.scenario.model.targets`; for a bundled system, its address."""
    destination: Destination
    variables: Mapping[str, Any]
    """Values for lookups of this arm, besides the journey's values."""
    version: str = ""
    """The negotiated MCP protocol version; empty on other arms."""
    tools: Mapping[str, Tool] | None = None
    server: str = ""
    """The name and the version with which the server introduced itself."""
    tools_list_bytes: int = 0
    remarks: Sequence[str] = ()
    """What was odd when the target was tried, but not a reason to refuse it."""
    pids: Mapping[str, int] = field(default_factory=dict)
    """The processes of a bundled system that do this arm's work, by name."""
    upstream: str = ""
    """The address with the counts of a bundled system's simulated providers."""
    script: Responder = SILENT
    """What its clients answer when the server asks."""
    personal: Personal | None = None
    """What differs from user to user, if something can."""

    @property
    def endpoint(self) -> Endpoint:
        """Return the endpoint of an arm that is reached by HTTP."""
        assert isinstance(self.destination, Endpoint)  # noqa: S101 -- compiled for this kind of arm
        return self.destination

    def has(self, step: Step) -> bool:
        """Tell whether the tool or the function that a step calls exists."""
        if step.action == "run" and isinstance(self.destination, Code):
            return find_function(self.destination, step.subject) is not None
        return step.action != "call" or self.tools is None or step.subject in self.tools


def reach_all(
    loaded: Loaded,
    systems: Systems,
    pointed: Mapping[str, str],
    common: Mapping[str, str],
    logs: Path | None = None,
    identity: Identity = NOBODY,
) -> dict[str, ArmTarget]:
    """Resolve, start and try all targets. Raises Refusal that names every one that failed.

    `pointed` replaces the addresses of arms; `common` are variables that every arm knows; `logs` is
    the folder for the standard error of stdio servers; `identity` is the user who tries them.
    """
    reached: dict[str, ArmTarget] = {}
    failed: list[Refusal] = []
    for name, arm in loaded.scenario.arms.items():
        try:
            face = _locate(pointed.get(name, arm.address), systems)
            variables = {**face.variables, **common}
            target = reach(name, loaded, face.url, variables, logs=logs, identity=identity)
            reached[name] = replace(target, pids=face.pids, upstream=face.upstream)
        except Refusal as refusal:
            failed.append(refusal)
    if failed:
        worst = min(refusal.exit_code for refusal in failed)
        lines = dict.fromkeys(line for refusal in failed for line in refusal.lines)
        raise Refusal(*lines, code=worst, keep_logs=any(refusal.keep_logs for refusal in failed))
    return reached


def reach(
    name: str,
    loaded: Loaded,
    url: str,
    provided: Mapping[str, Any],
    version: str = "",
    *,
    logs: Path | None = None,
    identity: Identity = NOBODY,
) -> ArmTarget:
    """Try one target as one user: connect, negotiate, list its tools. Raises Refusal."""
    arm = loaded.scenario.arms[name]
    own = compile_template({**loaded.scenario.vars, **arm.vars}, env=loaded.env).render({})
    variables = {**provided, **own}
    where: Destination | None = None
    try:
        where = destination(name, arm, loaded, url, logs)
        personal = Personal(arm, loaded, where)
        target = ArmTarget(name, arm.kind, url, where, variables, personal=personal)
        if arm.kind != "mcp":
            if isinstance(where, Endpoint):
                client = RestClient(where)
                client.ready()
                client.close()
            return target
        script = script_of(name, loaded)
        opened = session(
            url,
            personal.destination(where, identity),
            version or arm.protocol,
            answers=script,
            credentials=_credentials(name, personal, identity),
            waiting=lambda text: logger.warning("%s: %s", name, text),
        )
        try:
            negotiated = opened.negotiate()
            tools = opened.list_tools()
        finally:
            opened.close()
    except TargetError as error:
        why = _unreached(url, arm, error, where)
        raise Refusal(f"{name}: {why}", code=UNREACHABLE) from error
    return replace(
        target,
        version=negotiated,
        tools=tools,
        server=opened.terms.server,
        tools_list_bytes=opened.terms.tools_list_bytes,
        remarks=opened.terms.remarks,
        script=script,
    )


def _unreached(url: str, arm: Arm, error: TargetError, where: Destination | None) -> str:
    """Say in one line why a target could not be reached."""
    transport, rest = split_target(url)
    verb, limit = "is reachable", "timeout"
    if transport == "stdio":
        verb, limit = "starts", "start_timeout"
    if isinstance(error, CallTimeout):
        late = f"does not answer within {getattr(arm, limit):g} s ({error})"
        return f"{rest} {verb}, but {late}: raise {limit} of the arm"
    if isinstance(error, NegotiationError) and transport == "http" and _speaks_sse(where):
        return f"{rest} is reachable, but uses HTTP+SSE (MCP 2024-11-05): write sse:{rest}"
    if not isinstance(error, ConnectError):
        return f"{rest} {verb}, but not as an MCP server: {error}"
    if transport == "stdio":
        return f"cannot start {rest} ({error}). Check that the command works on its own."
    if transport == "python":
        return f"cannot use {rest} ({error})"
    hint = unused(rest, arm.proxy) or "Check that the server is running at this address."
    return f"cannot reach {rest} ({error}). {hint}"


def _speaks_sse(where: Destination | None) -> bool:
    """Tell whether a GET gets an event stream that names an endpoint: the transport HTTP+SSE."""
    if not isinstance(where, Endpoint):
        return False
    channel = SseChannel(replace(where, timeout_s=min(where.timeout_s, _FALLBACK_S)))
    try:
        channel.open(lambda _message: None, lambda _reason: None)
    except TargetError:
        return False
    finally:
        channel.close()
    return True


def started_here(targets: Mapping[str, ArmTarget]) -> list[str]:
    """Name the arms whose users start their servers."""
    return [name for name, target in targets.items() if isinstance(target.destination, Command)]


def unknown_tools(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each tool or function that a step calls but its target does not have."""
    problems = [
        _no_such(journey_name, targets[arm], str(step.subject))
        for journey_name, journey in loaded.scenario.journeys.items()
        for arm in targets
        for step in flat(journey.of(arm))
        if not targets[arm].has(step)
    ]
    return list(dict.fromkeys(problems))


def unprovided(
    loaded: Loaded, targets: Mapping[str, ArmTarget], pointed: Mapping[str, str]
) -> list[str]:
    """Return a line for each lookup without a value, now that the values of systems are known.

    If another target replaces a system, one line names all that the system would provide.
    """
    lines = []
    for arm, target in targets.items():
        found = unknown_names(loaded, arm, target.variables)
        system = loaded.scenario.arms[arm].address
        if found and arm in pointed and system.startswith(SYSTEM):
            names = ", ".join(dict.fromkeys(one.message.partition(" ")[0] for one in found))
            lines.append(
                f"--target {arm}={pointed[arm]}: the scenario gets {names} from {system}, which is "
                f"replaced. Write them under arms.{arm}.vars in a copy of the file"
            )
        else:
            lines += map(str, found)
    return lines


def unspoken(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each step whose method is not in the version that its server uses."""
    problems = [
        f"journey {name}, arm {arm}: {MODERN} does not have ping. Remove the step, or write "
        f"protocol: {HANDSHAKE[0]} for the arm"
        for name, journey in loaded.scenario.journeys.items()
        for arm, target in targets.items()
        if target.version == MODERN
        for step in flat(journey.of(arm))
        if step.action == "ping"
    ]
    return list(dict.fromkeys([*problems, *_no_sessions(loaded, targets)]))


def _no_sessions(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> list[str]:
    """Return a line for each setting of an arm's sessions, if it does not have sessions."""
    return [
        (
            f"arm {name}: {key}: true has no effect, because its server uses {MODERN}, which has "
            f"no sessions. Remove it, or write protocol: {HANDSHAKE[0]}"
        )
        for name, target in targets.items()
        for key in ("stream", "no_delete")
        if getattr(loaded.scenario.arms[name], key) and target.version == MODERN
    ]


def _no_such(journey: str, target: ArmTarget, name: str) -> str:
    where = f"journey {journey}, arm {target.arm}"
    if target.tools is None:
        return f"{where}: {split_target(target.url)[1]} has no function {name!r}"
    odd = [remark for remark in target.remarks if f"the tool {name!r}" in remark]
    if odd:
        return f"{where}: {odd[0]}"
    names = [known for known in target.tools if len(known) <= _LONGEST_NAME][:_MOST_NAMES]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    known = near or sorted(names)[:5]
    shown = ", ".join(known) if known else "none at all"
    word = "Nearest" if near else "It lists"
    return f"{where}: the server has no tool {name!r}. {word}: {shown}"


def _locate(address: str, systems: Systems) -> Face:
    if not address.startswith(SYSTEM):
        return Face(address, {})
    try:
        return systems.face(address.removeprefix(SYSTEM))
    except UnknownSystem as error:
        raise Refusal(str(error)) from error
    except SystemFailed as error:
        raise Refusal(str(error), code=UNREACHABLE, keep_logs=True) from error


def _credentials(name: str, personal: Personal, identity: Identity) -> Credentials | None:
    try:
        return personal.credentials(identity)
    except ValueError as error:
        raise Refusal(f"arm {name}: auth: {error}") from error

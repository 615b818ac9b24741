"""The tools as both eras call them: checked arguments in, an outcome out."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mcp_targets.echo import arguments as a
from mcp_targets.echo import rpc, tools
from mcp_targets.echo.changes import UPDATED, Change, list_changed
from mcp_targets.echo.tools import Result

_ANSWER: Final = "answer"
_STATE_KEY: Final = secrets.token_bytes(32)


class Outcome(msgspec.Struct):
    """The effects of a call."""

    result: Result
    after_s: float = 0.0
    notifications: list[bytes] = []
    interval_s: float = 0.0
    """The pause before each notification."""
    question: Result | None = None
    """What the user is asked before there is a result (up to 2025-11-25)."""
    change: Change | None = None
    """The notification that listeners get."""

    @property
    def work_s(self) -> float:
        """How long the tool itself works."""
        return self.after_s + self.interval_s * len(self.notifications)


class Call(msgspec.Struct, frozen=True):
    """What a tool may know about the call besides its arguments."""

    params: dict[str, Any]
    modern: bool
    """The protocol is 2026-07-28 or later."""

    def meta(self, key: str) -> Any:
        meta = self.params.get("_meta")
        return meta.get(key) if isinstance(meta, dict) else None


class Tool(msgspec.Struct, frozen=True):
    """One tool: its name, its arguments and what it does."""

    name: str
    description: str
    arguments: type[a.Arguments]
    run: Callable[[Any, Call], Outcome]
    output: dict[str, str] | None = None
    """The types of the structured result's fields."""

    def listed(self) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "inputSchema": a.schema(self.arguments),
        }
        if self.output is not None:
            properties = {name: {"type": kind} for name, kind in self.output.items()}
            entry["outputSchema"] = {
                "type": "object",
                "properties": properties,
                "required": list(properties),
            }
        return entry


def call(tool: Tool, context: Call) -> Outcome:
    """Run a tool. Arguments that fail its schema are a tool error, for the caller to correct."""
    given = context.params.get("arguments")
    try:
        checked = msgspec.convert({} if given is None else given, tool.arguments)
    except msgspec.ValidationError as error:
        return Outcome(failure(f"Invalid arguments for {tool.name}: {error}"))
    return tool.run(checked, context)


def failure(message: str) -> Result:
    """Return a tool error."""
    return {"content": [{"type": "text", "text": message}], "isError": True}


def _text(text: str) -> Result:
    return {"content": [{"type": "text", "text": text}], "isError": False}


def _structured(text: str, value: Result) -> Result:
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": value,
        "isError": False,
    }


def _echo(given: a.Echo, _: Call) -> Outcome:
    return Outcome(_structured(given.message, tools.echo(given.message)))


def _add(given: a.Add, _: Call) -> Outcome:
    value = tools.add(given.a, given.b)
    return Outcome(_structured(str(value["sum"]), value))


def _sleep(given: a.Sleep, _: Call) -> Outcome:
    return Outcome(_structured(f"slept {given.ms:g} ms", tools.slept(given.ms)), given.ms / 1000)


def _fail(given: a.Fail, _: Call) -> Outcome:
    return Outcome(failure(given.message))


def _big(given: a.Big, _: Call) -> Outcome:
    return Outcome(_text(tools.big(given.bytes)))


def _tag(given: a.Tag, _: Call) -> Outcome:
    value = {"region": given.region, "value": given.value}
    return Outcome(_structured(f"{given.region}={given.value}", value))


def _progress(given: a.Progress, context: Call) -> Outcome:
    outcome = Outcome(_structured(f"done after {given.steps} steps", {"steps": given.steps}))
    token = context.meta("progressToken")
    interval_s = given.interval_ms / 1000
    if token is None:
        outcome.after_s = interval_s * given.steps
    else:
        outcome.interval_s = interval_s
        outcome.notifications = [_step(token, step, given.steps) for step in range(given.steps)]
    return outcome


def _step(token: str | int, step: int, steps: int) -> bytes:
    at = {"progressToken": token, "progress": step + 1, "total": steps}
    return rpc.notification("notifications/progress", {**at, "message": f"step {step + 1}"})


def _ask(given: a.Ask, context: Call) -> Outcome:
    if not context.modern:
        return Outcome({}, question=_form(given.question))
    capabilities = context.meta("io.modelcontextprotocol/clientCapabilities")
    if not isinstance(capabilities, dict) or "elicitation" not in capabilities:
        raise rpc.RpcError(
            rpc.MISSING_CLIENT_CAPABILITY,
            "ask needs a client that can elicit",
            {"requiredCapabilities": {"elicitation": {"form": {}}}},
        )
    state = context.params.get("requestState")
    if state is None:
        return Outcome(_question(given.question))
    if not isinstance(state, str) or not hmac.compare_digest(state, _state(given.question, state)):
        raise rpc.RpcError(rpc.INVALID_PARAMS, "requestState does not belong to this call")
    responses = context.params.get("inputResponses")
    answer = responses.get(_ANSWER) if isinstance(responses, dict) else None
    return Outcome(answered(answer) if isinstance(answer, dict) else _question(given.question))


def _form(question: str) -> Result:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "title": "Answer"}},
        "required": ["answer"],
    }
    return {"mode": "form", "message": question, "requestedSchema": schema}


def _question(question: str) -> Result:
    asked = {"method": "elicitation/create", "params": _form(question)}
    return {
        "resultType": "input_required",
        "inputRequests": {_ANSWER: asked},
        "requestState": _state(question, secrets.token_hex(8)),
    }


def _state(question: str, nonce: str) -> str:
    """Return `nonce.mac`, which binds a state to its call, its question and this process."""
    nonce = nonce.partition(".")[0]
    mac = hashlib.blake2b(f"{nonce}.{question}".encode(), key=_STATE_KEY, digest_size=16)
    return f"{nonce}.{mac.hexdigest()}"


def _touch(given: a.Touch, _: Call) -> Outcome:
    return Outcome(_text(f"touched {given.uri}"), change=(UPDATED, {"uri": given.uri}))


def _announce(given: a.Announce, _: Call) -> Outcome:
    return Outcome(_text(f"{given.list} changed"), change=(list_changed(given.list), {}))


def answered(answer: dict[str, Any]) -> Result:
    """Return the result of `ask` for the user's answer."""
    action = answer.get("action")
    content = answer.get("content")
    if action == "accept" and isinstance(content, dict):
        said = str(content.get("answer", ""))
        return _structured(said, {"action": "accept", "answer": said})
    return _structured(f"the user did not answer: {action}", {"action": str(action), "answer": ""})


TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("echo", "Send a message back.", a.Echo, _echo, {"message": "string"}),
        Tool("add", "Add two numbers.", a.Add, _add, {"sum": "number"}),
        Tool("sleep", "Answer after a time.", a.Sleep, _sleep, {"slept_ms": "number"}),
        Tool("fail", "Fail with a tool error.", a.Fail, _fail),
        Tool(
            "progress",
            "Report progress in steps, if the caller sent a progress token.",
            a.Progress,
            _progress,
            {"steps": "integer"},
        ),
        Tool(
            "ask",
            "Ask the user a question and return the answer.",
            a.Ask,
            _ask,
            {"action": "string", "answer": "string"},
        ),
        Tool("big", "Return a text of some length.", a.Big, _big),
        Tool("touch", "Tell all who listen that a resource has changed.", a.Touch, _touch),
        Tool("announce", "Tell all who listen that a list has changed.", a.Announce, _announce),
        Tool(
            "tag",
            "Return both arguments; they also travel in HTTP headers.",
            a.Tag,
            _tag,
            {"region": "string", "value": "integer"},
        ),
    )
}


def called(params: dict[str, Any]) -> Tool:
    """Return the tool that a call names. Raises RpcError."""
    name = params.get("name")
    tool = TOOLS.get(name) if isinstance(name, str) else None
    if tool is None:
        raise rpc.RpcError(rpc.INVALID_PARAMS, f"Unknown tool: {name}")
    return tool

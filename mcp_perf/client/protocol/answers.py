"""Scripted answers to what a server asks its client, without I/O.

A server asks for input (`elicitation/create`), for a model's words (`sampling/createMessage`) or
for folders (`roots/list`): up to 2025-11-25 by separate requests, in 2026-07-28 within a result.
The answers are the same, and come from the scenario.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_perf.client.protocol.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND
from mcp_perf.client.reply import members

ELICITATION: Final = "elicitation/create"
SAMPLING: Final = "sampling/createMessage"
ROOTS: Final = "roots/list"

MOST_ROUNDS: Final = 10
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.25
_MODES: Final = ("form", "url")
"""The ways to ask a user that the client declares, if it declares any."""
_TOOL_USE: Final = ("tools", "toolChoice")
"""Params of a sampling request that need the undeclared capability `sampling.tools`."""


class NoAnswer(Exception):  # noqa: N818 -- it is the script that has no answer
    """The server asks for something that the script does not answer, or that was not declared."""

    def __init__(self, message: str, code: int = METHOD_NOT_FOUND) -> None:
        super().__init__(message)
        self.code = code
        """The code of the JSON-RPC error that says so, up to 2025-11-25."""


@dataclass(frozen=True, slots=True)
class Responder:
    """What to answer; a field that is None is neither declared nor answered."""

    elicitation: Mapping[str, Any] | None = None
    """`action`, and for `accept` the `content`; defaults of the requested schema fill in what it
    leaves out."""
    sampling: Mapping[str, Any] | None = None
    """The result of `sampling/createMessage`: `role`, `content`, `model`."""
    roots: Sequence[Mapping[str, Any]] | None = None

    @property
    def capabilities(self) -> dict[str, Any]:
        forms: dict[str, Any] = {mode: {} for mode in _MODES}
        known: dict[str, Any] = {"elicitation": forms, "sampling": {}, "roots": {}}
        return {name: value for name, value in known.items() if getattr(self, name) is not None}

    def to(self, method: str, params: Any) -> dict[str, Any]:
        """Return the result of a server's request; odd params count as none. Raises NoAnswer."""
        params = members(params)
        if method == ELICITATION and self.elicitation is not None:
            mode = params.get("mode", "form")
            if mode not in _MODES:  # 2025-11-25, "Elicitation": MUST
                said = f"the server asks by {method} in the mode {mode!r}, which the client"
                raise NoAnswer(f"{said} did not declare", INVALID_PARAMS)
            action = self.elicitation.get("action", "accept")
            if action != "accept" or mode == "url":
                return {"action": action}
            content = {**_defaults(params), **self.elicitation.get("content", {})}
            return {"action": action, "content": content}
        if method == SAMPLING and self.sampling is not None:
            for name in _TOOL_USE:  # 2025-11-25, "Sampling", "Tools in sampling": MUST
                if name in params:
                    said = f"the server asks by {method} with {name!r}, and sampling.tools is not"
                    raise NoAnswer(f"{said} declared", INVALID_PARAMS)
            return dict(self.sampling)
        if method == ROOTS and self.roots is not None:
            return {"roots": [dict(root) for root in self.roots]}
        raise NoAnswer(
            f"the server asks for {method}, but the arm has no answer: add it under answers"
        )


SILENT: Final = Responder()
"""Answers nothing but pings."""


@dataclass(eq=False, slots=True)
class Rounds:
    """The rounds of one call whose results ask for input (2026-07-28, "Multi round-trip requests").

    The request is repeated under a new id with the answers and the state that the server handed
    out, until a result is complete.
    """

    answers: Responder
    count: int = 0
    _pause_s: float = _FIRST_PAUSE_S

    def following(self, result: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Return what the next request has besides its own params, and how long to wait before it.

        There is a wait, in seconds, only if the server asks for nothing but patience: it doubles up
        to 250 ms. Raises NoAnswer, also if the server never stops asking.
        """
        self.count += 1
        if self.count > MOST_ROUNDS:
            raise NoAnswer(f"the server keeps asking for input, after {MOST_ROUNDS} rounds")
        added: dict[str, Any] = {}
        if "requestState" in result:
            added["requestState"] = result["requestState"]
        asked = result.get("inputRequests")
        if asked:
            added["inputResponses"] = self._responses(asked)
            return added, 0.0
        if not added:
            raise NoAnswer("the server asks for input without inputRequests or requestState")
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return added, pause_s

    def _responses(self, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise NoAnswer("the server's inputRequests are not a mapping")
        responses = {}
        for key, request in asked.items():
            method = request.get("method") if isinstance(request, dict) else None
            if not isinstance(method, str):
                raise NoAnswer(f"the server's input request {key!r} has no method")
            responses[key] = self.answers.to(method, request.get("params"))
        return responses


def respond(request: Mapping[str, Any], answers: Responder) -> dict[str, Any]:
    """Return the JSON-RPC response to a server's request: a ping is always answered."""
    response = {"jsonrpc": "2.0", "id": request.get("id")}
    method = request.get("method")
    if method == "ping":
        return {**response, "result": {}}
    try:
        result = answers.to(str(method), request.get("params"))
    except NoAnswer as error:
        return {**response, "error": {"code": error.code, "message": str(error)}}
    return {**response, "result": result}


def _defaults(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that the requested schema gives (SEP-1034)."""
    properties = members(members(params.get("requestedSchema")).get("properties"))
    return {
        name: field["default"]
        for name, field in properties.items()
        if isinstance(field, dict) and "default" in field
    }

"""Protocols 2024-11-05 to 2025-11-25: initialize opens a session, DELETE ends it.

GET opens the stream of a session, which carries changes, and comments that keep it alive. A
question to the user goes on the stream of the call that asks it.
"""

from dataclasses import dataclass
from typing import Any, Final

from mcp_targets.echo import rpc
from mcp_targets.echo.protocol.calls import Call, Outcome, call, called, failure
from mcp_targets.echo.protocol.features import CAPABILITIES, INSTRUCTIONS, SERVER_INFO, Features
from mcp_targets.echo.protocol.modern import Finish
from mcp_targets.echo.protocol.sessions import Questions, Session, Sessions
from mcp_targets.echo.rpc import RpcError
from mcp_targets.echo.works import Works
from mcp_targets.serving.httpd import Reply, Request, Stream

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
_SESSION: Final = b"mcp-session-id"
_NOT_ALLOWED: Final = ((b"allow", b"GET, POST, DELETE"),)


@dataclass(eq=False)
class Handshake:
    """Answer requests of this era. `stream` sends every response as a stream of one event."""

    features: Features
    finish: Finish
    sessions: Sessions
    works: Works
    questions: Questions
    stream: bool

    def answer(self, request: Request) -> Reply | Stream:
        try:
            if request.method == b"POST":
                return self._post(request)
            if request.method == b"GET":
                return Stream(self.sessions.stream(self._session(request)))
            if request.method == b"DELETE":
                self._session(request)
                self.sessions.end(request.headers[_SESSION])
                return Reply(b"", 200, b"")
        except _SessionLostError as error:
            return error.reply(404)
        except RpcError as error:
            return error.reply(400)
        return Reply(b"", 405, b"", _NOT_ALLOWED)

    def _post(self, request: Request) -> Reply | Stream:
        message = rpc.decode(request.body)
        method = message.get("method")
        if method == "initialize" and "id" in message:
            rpc.check_request(message)
            return self._initialize(message)
        session = self._session(request)
        if "id" not in message or (method is None and ("result" in message or "error" in message)):
            self.take(request.headers[_SESSION], message)
            return Reply(b"", 202, b"")
        rpc.check_request(message)
        try:
            return self._dispatch(request, session, message)
        except RpcError as error:
            # In a valid session, errors are answers like any other: HTTP 200.
            return self._reply(error.body(message["id"]))

    def take(self, session: bytes, message: dict[str, Any]) -> None:
        """Take a message without a reply: a notification, or an answer. Raises RpcError."""
        method = message.get("method")
        if method is None:
            self.questions.answer(session, message)
            return
        rpc.check_notification(message)
        params = message.get("params")
        if method == "notifications/cancelled" and isinstance(params, dict):
            request_id = params.get("requestId")
            if isinstance(request_id, str | int):
                error = RpcError(rpc.CANCELLED, "Request cancelled")
                self.works.cancel((session, request_id), self._reply(error.body(request_id)))

    def _dispatch(
        self, request: Request, session: Session, message: dict[str, Any]
    ) -> Reply | Stream:
        method: str = message["method"]
        params: dict[str, Any] = message.get("params", {})
        if method == "tools/call":
            tool = called(params)
            outcome = call(tool, Call(params, modern=False))
            if outcome.question is not None and not session.elicits:
                outcome = Outcome(failure("ask needs a client that can elicit"))
            name = request.headers[_SESSION]
            return self.finish(request, name, tool.name, message["id"], outcome)
        if method in ("resources/subscribe", "resources/unsubscribe"):
            uri = params.get("uri")
            if not isinstance(uri, str):
                raise RpcError(rpc.INVALID_PARAMS, "uri must be a string")
            session.subscribe(uri, wanted=method == "resources/subscribe")
            return self._reply(rpc.result(message["id"], {}))
        if method == "ping":
            return self._reply(rpc.result(message["id"], {}))
        if method not in self.features.methods:
            raise RpcError(rpc.METHOD_NOT_FOUND, "Method not found", {"method": method})
        return self._reply(rpc.result(message["id"], self.features.methods[method](params)))

    def _initialize(self, message: dict[str, Any]) -> Reply:
        asked = message.get("params", {}).get("protocolVersion")
        version = asked if asked in VERSIONS else VERSIONS[-1]
        capabilities = message.get("params", {}).get("capabilities")
        elicits = isinstance(capabilities, dict) and "elicitation" in capabilities
        session = self.sessions.open(elicits=elicits)
        result = {
            "protocolVersion": version,
            "capabilities": CAPABILITIES,
            "serverInfo": SERVER_INFO,
            "instructions": INSTRUCTIONS,
        }
        reply = self._reply(rpc.result(message["id"], result))
        reply.headers = ((_SESSION, session),)
        return reply

    def _session(self, request: Request) -> Session:
        name = request.headers.get(_SESSION)
        if name is None:
            raise RpcError(rpc.INVALID_REQUEST, "Bad Request: Missing session ID")
        session = self.sessions.use(name)
        if session is None:
            raise _SessionLostError(rpc.INVALID_REQUEST, "Session not found")
        return session

    def _reply(self, message: bytes) -> Reply:
        if self.stream:
            return Reply(rpc.event(message), content_type=b"text/event-stream", chunked=True)
        return Reply(message)


class _SessionLostError(RpcError):
    """The session is unknown or has ended."""

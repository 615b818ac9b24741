"""The same lock in front of an ASGI application: key or password, and no other site.

Programs have no cookies, so they send the key as `Authorization: Bearer KEY`.
"""

import io
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from mcp_perf.load.web.admission import MOST_BYTES, Admission, Answer
from mcp_perf.load.web.guard import Headers, Served, asked, headers_of, protected, refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
ErrorAnswers = Mapping[type[Exception], Callable[[Any], tuple[Any, ...]]]
"""The kinds of exceptions -> what an application answers to one of them."""

_HEADERS: Final = {
    "host": "HTTP_HOST",
    "cookie": "HTTP_COOKIE",
    "origin": "HTTP_ORIGIN",
    "sec-fetch-site": "HTTP_SEC_FETCH_SITE",
}
"""The headers that decide, and their names in WSGI."""
_LARGEST: Final = 1_000_000
"""The most bytes of a request's body."""
_CODES: Final = {
    413: "CONTENT_TOO_LARGE",
    422: "INVALID",
    500: "INTERNAL_ERROR",
    503: "STORE_UNAVAILABLE",
}
"""The codes of errors that are not named after their status."""
_HINTS: Final = {
    "key": "Send Authorization: Bearer KEY, with the key of the address that was printed.",
    "password": "POST password=... to /login, and send the cookie that comes back.",
}
_POLICY_VIOLATED: Final = 1008
BROKEN: Final = (500, "This is a fault of mcp-perf.", "The terminal has the traceback.")
"""The answer to any other exception."""


@dataclass(frozen=True)
class AsgiGuard:
    """ASGI middleware that answers the requests that must not reach the application."""

    app: Application
    served: Served
    admission: Admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer is None:
            await self.app(scope, receive, partial(_protected, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATED})
        else:
            await _send(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        told = headers.get("content-length", "0")
        environ = {
            "REQUEST_METHOD": scope.get("method", "GET"),
            "wsgi.url_scheme": scope["scheme"].replace("ws", "http"),
            "PATH_INFO": scope["path"],
            "QUERY_STRING": scope["query_string"].decode("latin-1"),
            "REMOTE_ADDR": (scope.get("client") or ("",))[0],
            "CONTENT_LENGTH": told,
            **{key: headers[name] for name, key in _HEADERS.items() if name in headers},
        }
        if problem := refusal(environ, self.served):
            answer: Answer | None = Answer("403 Forbidden", problem, kind="text/plain")
        elif "transfer-encoding" in headers or len(told) > 9 or not told.isdecimal():
            answer = Answer("411 Length Required", "Say how long the body is.", kind="text/plain")
        elif int(told) > _LARGEST:
            text = f"A body has at most {_LARGEST} bytes."
            answer = Answer("413 Content Too Large", text, kind="text/plain")
        elif self.admission.allows(headers.get("authorization", "")):
            return None
        else:
            may_log_in = environ["REQUEST_METHOD"] == "POST" and int(told) <= MOST_BYTES
            is_login = may_log_in and scope["path"].endswith("/login")
            environ["wsgi.input"] = io.BytesIO(await _body(receive) if is_login else b"")
            answer = self.admission.answer(asked(environ))
        wants_page = "text/html" in headers.get("accept", "")
        return answer if answer is None or answer.headers or wants_page else self._as_json(answer)

    def _as_json(self, answer: Answer) -> Answer:
        """Say the same to a program."""
        what = "password" if self.admission.password else "key"
        said = answer.text if answer.kind == "text/plain" else f"The {what} is missing, or wrong."
        text = json.dumps(error(int(answer.status[:3]), said, _HINTS[what]))
        return Answer(answer.status, text, answer.headers, "application/json")


def error(status: int, message: str, hint: str, details: Any = None) -> dict[str, Any]:
    """Return the body of an error; all errors have this shape."""
    code = _CODES.get(status) or HTTPStatus(status).name
    return {"error": {"code": code, "message": message, "details": details, "hint": hint}}


def answer_errors(app: Any, answers: ErrorAnswers, respond: Callable[..., Any]) -> None:
    """Let an application answer exceptions by what `answers` has for them.

    `respond` takes the request, the status, what is wrong, and a hint and details if there are any.
    """

    def handler(read: Callable[[Any], tuple[Any, ...]]) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, problem: Any) -> Any:
            return respond(request, *read(problem))

        return answer

    for kind, read in answers.items():
        app.add_exception_handler(kind, handler(read))


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _send(send: Send, answer: Answer) -> None:
    body = answer.text.encode()
    headers, status = _encoded(headers_of(answer, body)), int(answer.status[:3])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _protected(send: Send, message: Any) -> None:
    if message["type"] == "http.response.start":
        given = [(name.decode(), value.decode()) for name, value in message["headers"]]
        message = {**message, "headers": _encoded(protected(given))}
    await send(message)


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]

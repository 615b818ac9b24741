"""MCP for plain locustfiles: `McpUser` has a client that calls the tools of an MCP server.

    class MyUser(McpUser):
        host = "http://127.0.0.1:8000/mcp"

        @task
        def echo(self):
            self.client.call_tool("echo", {"message": "hello"})

Each request is a request of Locust's, of the type MCP. This module does not know scenarios, arms
or gates: besides Locust it needs only our client, and a way for the client to wait on gevent.
"""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from locust import User
from locust.env import Environment
from locust.exception import CatchResponseError, LocustError, ResponseError, StopTest

from mcp_perf.client.http.endpoint import DEFAULT_TIMEOUT_S, Endpoint
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.jsonrpc import message_of
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Call, PreparedCall, Request
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Reply
from mcp_perf.load.hub.waiting import Watchdog
from mcp_perf.outcomes import OK, TOOL_ERROR

REQUEST_TYPE: Final = "MCP"
_PROBE: Final = "server/discover"
_MOST_TEXTS: Final = 50
_LONGEST_TEXT: Final = 120
_texts: set[str] = set()
_versions: dict[str, str] = {}
"""Address -> the version spoken there. One user of each process finds it out."""
_watchdog = Watchdog()


class McpError(ResponseError):
    """A request failed: its class, and the reason."""


class McpToolError(McpError):
    """A tool answered with `isError: true`."""


class RequestOptions(TypedDict, total=False):
    """What every request of `McpClient` takes."""

    name: str
    """What Locust's statistics call the request; by default its method and its subject."""
    timeout: float
    """Seconds; by default the client's."""
    catch_response: bool
    """Whether a `with` block decides what is reported, as with `HttpUser`."""


class McpResponse:
    """The outcome of one request. A failure is reported to Locust, and nothing is raised."""

    def __init__(self, reply: Reply) -> None:
        self.outcome = reply.outcome
        """How the request ended: `ok`, `tool_error`, `timeout` and others."""
        self.detail = reply.detail
        """What was wrong, if the outcome is not `ok`."""
        self.exception: Exception | None = None if self.ok else _error_of(reply)
        """What is reported to Locust."""
        self._body = reply.body
        self._report: Callable[[McpResponse], None] | None = None

    @property
    def ok(self) -> bool:
        return self.outcome == OK

    @property
    def result(self) -> dict[str, Any]:
        """The `result` of the answer; empty if there is none."""
        result = message_of(self._body).get("result")
        return result if isinstance(result, dict) else {}

    @property
    def structured(self) -> Any:
        """A tool's `structuredContent`; None if there is none."""
        return self.result.get("structuredContent")

    @property
    def text(self) -> str:
        """The text of a tool's first content block that has one; empty if none has."""
        blocks = self.result.get("content")
        blocks = blocks if isinstance(blocks, list) else []
        texts = (block.get("text") for block in blocks if isinstance(block, dict))
        return next((text for text in texts if isinstance(text, str)), "")

    def success(self) -> None:
        """Report a success, whatever came."""
        self.exception = None

    def failure(self, why: str | Exception) -> None:
        """Report a failure. `why` is shown in Locust's table of failures, one row for each."""
        self.exception = why if isinstance(why, Exception) else CatchResponseError(why)

    def __enter__(self) -> Self:
        if self._report is None:
            hint = "pass catch_response=True to use it in a with block"
            raise LocustError(f"this call is already reported: {hint}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if isinstance(error, ResponseError):
            self.exception = error
        if self._report is not None:
            self._report(self)
        return error is self.exception  # it has been reported; any other is raised


class McpClient:
    """One session with one MCP server over streamable HTTP, in either era of the protocol.

    The first request opens it, and the next one opens it again if the server has lost it. Requests
    that open it are reported to Locust separately. Raises ValueError on a bad address or header.
    """

    def __init__(
        self,
        host: str,
        request_event: Any,
        *,
        user: User | None = None,
        protocol: str = "auto",
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._host, self._user, self._request_event = host, user, request_event
        self._session = HttpClient(
            Endpoint.of(host, headers=headers, timeout_s=timeout),
            _versions.get(host, "auto") if protocol == "auto" else protocol,
            observe=self._observe,
            waits=_watchdog.wait_for,
        )
        self._calls: dict[str, PreparedCall] = {}

    def call_tool(
        self,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> McpResponse:
        """Call a tool; `isError: true` is a failure."""
        name = f"{Call.method} {tool}"
        options.setdefault("name", name)
        if name not in self._calls:  # it takes 2 microseconds to make one
            self._calls[name] = Call(Tool(tool, {}), None)
        return self._call(self._calls[name], arguments, options)

    def list_tools(self, **options: Unpack[RequestOptions]) -> McpResponse:
        """List the tools, all pages as one request."""

        def ask(timeout_s: float | None) -> Reply:
            return list_all(self._session, LISTS["tools"], LIST_KEYS["tools"], timeout_s)

        options.setdefault("name", LISTS["tools"])
        return self._told(ask, options)

    def read_resource(self, uri: str, **options: Unpack[RequestOptions]) -> McpResponse:
        """Read a resource. If you read many, pass one `name` for all of them."""
        options.setdefault("name", f"resources/read {uri}")
        return self.request("resources/read", {"uri": uri}, **options)

    def get_prompt(
        self,
        prompt: str,
        arguments: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> McpResponse:
        """Get a prompt, filled with its arguments."""
        options.setdefault("name", f"prompts/get {prompt}")
        params = {"name": prompt, "arguments": dict(arguments or {})}
        return self.request("prompts/get", params, **options)

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[RequestOptions],
    ) -> McpResponse:
        """Send any other request."""
        options.setdefault("name", method)
        call = self._calls.setdefault(method, Request(method, None))
        return self._call(call, params, options)

    def close(self) -> None:
        """End the session; the next request opens another one."""
        self._session.close()

    def _call(
        self, call: PreparedCall, given: Mapping[str, Any] | None, options: RequestOptions
    ) -> McpResponse:
        def ask(timeout_s: float | None) -> Reply:
            return self._session.call(call, dict(given or {}), timeout_s)

        return self._told(ask, options)

    def _told(self, ask: Callable[[float | None], Reply], options: RequestOptions) -> McpResponse:
        start_s = time.time()
        reply = ask(options.get("timeout"))
        terms = self._session.terms
        if terms.protocol == "auto" and self._session.is_open:
            _versions[self._host] = terms.version

        def report(response: McpResponse) -> None:
            self._fire(options["name"], reply, start_s, response)

        response = McpResponse(reply)
        if options.get("catch_response"):
            response._report = report  # noqa: SLF001 -- it is ours
        else:
            report(response)
        return response

    def _observe(self, method: str, reply: Reply) -> None:
        """Report a request that opens or closes a session. The version probe does neither."""
        if method != _PROBE:
            took_s = (reply.end_ns - reply.start_ns) / 1e9
            self._fire(method, reply, time.time() - took_s, McpResponse(reply))

    def _fire(self, name: str, reply: Reply, start_s: float, response: McpResponse) -> None:
        self._request_event.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=(reply.end_ns - reply.start_ns) / 1e6,
            response_length=len(reply.body),
            response=response,
            context={} if self._user is None else self._user.context(),
            exception=response.exception,
            start_time=start_s,
            url=self._host,
        )


class McpUser(User):
    """A user with a `client` for the MCP server at `host`, the whole address of its endpoint."""

    abstract = True
    protocol = "auto"
    """The version of MCP, such as `2025-11-25`; `auto` finds it out."""
    headers: Mapping[str, str] = {}
    """Headers of each request."""
    timeout = DEFAULT_TIMEOUT_S
    """Of each request, in seconds."""

    def __init__(self, environment: Environment) -> None:
        """Make the client. Raises StopTest if there is no address, or a bad one."""
        super().__init__(environment)
        try:
            self.client = McpClient(
                self.host or "",
                environment.events.request,
                user=self,
                protocol=self.protocol,
                headers=self.headers,
                timeout=self.timeout,
            )
        except ValueError as error:
            environment.process_exit_code = 1  # without it, a stopped test counts as passed
            why = f"{error}: set host in the class, or --host, to http://HOST:PORT/mcp"
            raise StopTest(why) from error

    def on_stop(self) -> None:
        """End the session. If you override `on_stop`, call `super().on_stop()`."""
        self.client.close()


def _error_of(reply: Reply) -> McpError:
    """Return what is reported to Locust for a failure. Locust groups failures by their texts.

    A server may say something else each time, so only the first texts of a process are complete.
    """
    text = f"{reply.outcome}: {' '.join(reply.detail.split())[:_LONGEST_TEXT]}"
    if text not in _texts and len(_texts) >= _MOST_TEXTS:
        text = reply.outcome
    _texts.add(text)
    return (McpToolError if reply.outcome == TOOL_ERROR else McpError)(text)

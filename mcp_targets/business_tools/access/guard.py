"""The checks that every request passes first: address, login, rate, size and time."""

import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_targets.business_tools.access import keys, tokens
from mcp_targets.business_tools.access.addresses import allowed
from mcp_targets.business_tools.access.audit import Audit
from mcp_targets.business_tools.errors import Refused, ToolFailure
from mcp_targets.business_tools.resilience.limits import RateLimiter
from mcp_targets.business_tools.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN: Final = ("/health", "/health/ready", "/metrics", "/webhooks/incoming/", "/oauth/callback")
"""Paths without a login; an incoming webhook has its signature instead."""

WHO: Final = "business_tools.client"
WHICH: Final = "business_tools.request_id"
"""The keys under which a request's scope holds the caller and the request's id."""


@dataclass(eq=False)
class Guard:
    """Let requests through to an application, or answer them with an error.

    `settings` and `limiter` are functions because a reload replaces what they return.
    """

    app: App
    settings: Callable[[], Settings]
    audit: Audit
    limiter: Callable[[], RateLimiter]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[WHICH] = request_id = uuid.uuid4().hex
        settings = self.settings()
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        try:
            scope[WHO] = client = self._client(scope, headers, settings)
            if settings.on("client_limits"):
                await self.limiter().admit(client, [settings.client_rate])
            if settings.on("timeouts"):
                receive = await _bounded(headers, receive, settings.body_limit)
        except ToolFailure as failure:
            await _answer(send, failure, request_id)
            return
        await self.app(scope, receive, send)

    def _client(self, scope: Message, headers: dict[str, bytes], settings: Settings) -> str:
        """Return the caller. Raises ToolFailure."""
        address = (scope.get("client") or ("", 0))[0]
        if not allowed(address, settings.allowed_addresses):
            self.audit.write("login_failed", address, scope[WHICH], why="address")
            raise Refused("ADDRESS_NOT_ALLOWED", "calls from there are not taken", status=403)
        if not settings.on("auth") or scope["path"].startswith(OPEN):
            return str(address)
        key = headers.get("x-api-key", b"").decode("latin-1")
        kind, _, token = headers.get("authorization", b"").decode("latin-1").partition(" ")
        secret = settings.jwt_secret.get_secret_value()
        client = keys.client_of(key, settings.api_keys) if key else None
        if client is None and kind.lower() == "bearer":
            client = keys.client_of(token, settings.api_keys) or tokens.client_of(token, secret)
        if client is None:
            self.audit.write("login_failed", address, scope[WHICH], why="credentials")
            hint = "Send X-API-Key, or Authorization: Bearer with a key or a token."
            raise Refused("UNAUTHORIZED", "a valid key or token is needed", hint, status=401)
        return client


async def _bounded(headers: dict[str, bytes], receive: Receive, most: int) -> Receive:
    """Return a `receive` for a body that is small enough. Raises Refused."""
    said = headers.get("content-length", b"")
    if said.isdigit() and int(said) > most:
        raise _too_large(most)
    if said or "transfer-encoding" not in headers:
        return receive
    # The length is unknown, so the body has to be read first.
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        more = message["type"] == "http.request" and message.get("more_body", False)
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _too_large(most: int) -> Refused:
    hint = "Send less at once."
    return Refused("BODY_TOO_LARGE", f"the body is over {most} bytes", hint, status=413)


async def _answer(send: Send, failure: ToolFailure, request_id: str) -> None:
    body = json.dumps(failure.body(request_id)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if failure.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % -(-failure.retry_after_s // 1)))
    if failure.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

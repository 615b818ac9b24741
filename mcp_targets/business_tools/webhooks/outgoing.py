"""Deliver webhooks: signed, retried by tenacity, and without delaying the call."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx2

from mcp_targets.business_tools.errors import ToolFailure, Unavailable
from mcp_targets.business_tools.resilience.retry import RetryPolicy, retried
from mcp_targets.business_tools.webhooks.signatures import sign
from mcp_targets.business_tools.webhooks.subscriptions import Subscription, Subscriptions

POLICY: Final = RetryPolicy(attempts=5, first_wait_s=0.5, most_wait_s=30)
_TIMEOUT_S: Final = 5.0
_MOST_WAITING: Final = 1000

Check = Callable[[str], Awaitable[str]]


class Outgoing:
    """Send events to subscribers. A receiver may get one twice, with the same id."""

    def __init__(self, subscriptions: Subscriptions, check: Check, **more: Any) -> None:
        """`check` returns the host to connect to, or refuses; `more` goes to httpx2."""
        self._subscriptions = subscriptions
        self._check = check
        self._client = httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, **more)
        self._tasks: set[asyncio.Task[None]] = set()
        self.delivered = 0
        self.given_up = 0

    def emit(self, event: str, data: dict[str, Any], client: str | None = None) -> None:
        """Start delivering an event to the subscribers of one client, or of all; do not wait."""
        for subscription in self._subscriptions.wanting(event, client):
            if len(self._tasks) >= _MOST_WAITING:
                self.given_up += 1
                continue
            body = {"id": uuid.uuid4().hex, "event": event, "data": data}
            task = asyncio.create_task(self._deliver(subscription, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until every delivery has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, subscription: Subscription, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()

        async def attempt() -> None:
            url = httpx2.URL(subscription.url)
            host = await self._check(subscription.url)
            secret = subscription.secret.get_secret_value()
            headers = {
                "content-type": "application/json",
                "host": url.netloc.decode(),
                "x-webhook-id": body["id"],
                "x-webhook-signature": sign(secret, content, time.time()),
            }
            try:
                reply = await self._client.post(
                    url.copy_with(host=host),
                    content=content,
                    headers=headers,
                    extensions={"sni_hostname": url.host},
                )
            except httpx2.HTTPError as error:
                raise Unavailable("WEBHOOK_FAILED", "no answer", sent=True) from error
            if not reply.is_success:
                raise Unavailable("WEBHOOK_FAILED", f"answered {reply.status_code}", sent=True)

        try:
            await retried(attempt, POLICY, idempotent=True)
        except ToolFailure:
            self.given_up += 1
        else:
            self.delivered += 1

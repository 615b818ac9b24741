"""The subscriptions: by whom, to which events, and with which secret."""

import secrets
import uuid
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mcp_targets.business_tools.errors import Refused

MOST: Final = 100
"""Subscriptions of one client."""


class Wanted(BaseModel):
    """What a client registers."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2000)
    events: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Names such as `message.sent`, or `*` for all."""


class Subscription(Wanted):
    """A registered webhook."""

    id: str
    client: str
    secret: SecretStr


class Subscriptions:
    """All subscriptions, in memory."""

    def __init__(self) -> None:
        self._known: dict[str, Subscription] = {}

    def add(self, client: str, wanted: Wanted) -> Subscription:
        """Register a webhook; its secret is shown this once. Raises Refused."""
        if sum(one.client == client for one in self._known.values()) >= MOST:
            raise Refused("TOO_MANY_WEBHOOKS", f"there are {MOST} already", status=409)
        secret = SecretStr("whsec_" + secrets.token_urlsafe(32))
        added = Subscription(
            **wanted.model_dump(), id=uuid.uuid4().hex, client=client, secret=secret
        )
        self._known[added.id] = added
        return added

    def remove(self, client: str, identifier: str) -> None:
        """Remove a webhook. Raises Refused if the client has none with this id."""
        if (found := self._known.get(identifier)) is None or found.client != client:
            raise Refused("WEBHOOK_NOT_FOUND", "there is no such webhook", status=404)
        del self._known[identifier]

    def of(self, client: str) -> list[Subscription]:
        return [one for one in self._known.values() if one.client == client]

    def wanting(self, event: str, client: str | None = None) -> list[Subscription]:
        """Return the subscriptions to an event, of one client or of all."""
        known = self._known.values() if client is None else self.of(client)
        return [one for one in known if {event, "*"}.intersection(one.events)]

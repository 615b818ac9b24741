"""Ask a provider, through cache, rate limit, breaker and retry. Each of these may be off."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol

import httpx2

from mcp_targets.business_tools.errors import Refused
from mcp_targets.business_tools.resilience.breaker import Breakers
from mcp_targets.business_tools.resilience.cache import Answers, key
from mcp_targets.business_tools.resilience.limits import RateLimiter
from mcp_targets.business_tools.resilience.pools import Pools
from mcp_targets.business_tools.resilience.retry import ONCE, retried
from mcp_targets.business_tools.upstreams.exchange import (
    Arguments,
    answer_of,
    request,
    unreachable,
)
from mcp_targets.business_tools.upstreams.oauth import OAuthTenants
from mcp_targets.business_tools.upstreams.spec import Operation, Provider


class Asking(Protocol):
    """What tools need from their providers."""

    async def ask(
        self, provider: str, operation: str, arguments: Arguments, *, tenant: str = ""
    ) -> dict[str, Any]:
        """Return the provider's answer, with `cached`. Raises ToolFailure."""


@dataclass(eq=False)
class Upstreams:
    """All providers. A mechanism that is None is off."""

    providers: Mapping[str, Provider]
    pools: Pools
    secret: Callable[[str], str]
    """Returns a provider's key."""
    _: KW_ONLY
    addresses: Mapping[str, str] = field(default_factory=dict)
    """They replace those in the files."""
    answers: Answers | None = None
    limiter: RateLimiter | None = None
    breakers: Breakers | None = None
    retry: bool = True
    oauth: Mapping[str, OAuthTenants] = field(default_factory=dict)
    retries: int = field(default=0, init=False)

    async def ask(
        self, provider: str, operation: str, arguments: Arguments, *, tenant: str = ""
    ) -> dict[str, Any]:
        """Return the provider's answer, with `cached`. Raises ToolFailure."""
        about, one = found(self.providers, provider, operation)
        tenant = tenant if about.auth.kind == "oauth2" else ""
        given = {name: value for name, value in arguments.items() if value is not None}
        one.check(given)

        async def call() -> dict[str, Any]:
            return await self._persist(about, one, given, tenant)

        if not one.cache_s or self.answers is None:
            return {**await call(), "cached": False}
        what = key(provider, operation, given, tenant)
        answer, cached = await self.answers.get(what, one.cache_s, call)
        return {**answer, "cached": cached}

    async def _persist(
        self, about: Provider, one: Operation, arguments: Arguments, tenant: str
    ) -> dict[str, Any]:
        again = uuid.uuid4().hex if one.idempotency_key else ""

        async def attempt() -> dict[str, Any]:
            if self.limiter is not None:
                await self.limiter.admit(about.provider, about.rate_limits)
            async with self._breaker(about.provider):
                return await self._send(about, one, arguments, tenant, again)

        def count() -> None:
            self.retries += 1

        policy = about.retry if self.retry else ONCE
        return await retried(attempt, policy, idempotent=one.repeatable, on_retry=count)

    def _breaker(self, name: str) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self.breakers is None else self.breakers[name].call()

    async def _send(
        self, about: Provider, one: Operation, arguments: Arguments, tenant: str, again: str
    ) -> dict[str, Any]:
        name = about.provider
        secret = self.secret(name)
        if about.auth.kind == "oauth2":
            secret = await self.oauth[name].token(tenant)
        method, url, parts = request(about, one, arguments, secret, self.addresses.get(name))
        if again:
            parts["headers"][one.idempotency_key] = again
        try:
            reply = await self.pools.send(name, method, url, **parts)
        except httpx2.HTTPError as error:
            raise unreachable(name, error) from error
        return answer_of(name, reply.status_code, reply.headers, reply.content)


def found(
    providers: Mapping[str, Provider], provider: str, operation: str
) -> tuple[Provider, Operation]:
    """Return a provider and one of its operations. Raises Refused."""
    about = providers.get(provider)
    if about is None or operation not in about.operations:
        raise Refused("UNKNOWN_OPERATION", f"there is no {provider} {operation}", status=404)
    return about, about.operations[operation]

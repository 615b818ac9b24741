"""The same tools in the common bad way: under load they show what each mechanism buys.

A new HTTP client for each request, calls that block the event loop, a new database connection for
each query, a new token for each use, no cache, no limits, no retry.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2

from mcp_targets.business_tools.database.connection import Database
from mcp_targets.business_tools.database.queries import DatabaseQuery
from mcp_targets.business_tools.errors import Refused
from mcp_targets.business_tools.settings import Settings
from mcp_targets.business_tools.tools import catalog
from mcp_targets.business_tools.tools.tool import Context, Tool
from mcp_targets.business_tools.upstreams.client import found
from mcp_targets.business_tools.upstreams.exchange import answer_of, request, unreachable
from mcp_targets.business_tools.upstreams.spec import Provider

_TIMEOUT_S = 60.0


@dataclass(eq=False)
class NaiveUpstreams:
    """Ask providers with a client that blocks."""

    providers: Mapping[str, Provider]
    addresses: Mapping[str, str]
    secrets: Mapping[str, str]

    async def ask(
        self,
        provider: str,
        operation: str,
        arguments: dict[str, Any],
        *,
        tenant: str = "",  # noqa: ARG002 -- it knows none
    ) -> dict[str, Any]:
        """Return the provider's answer. Raises ToolFailure."""
        about, one = found(self.providers, provider, operation)
        given = {name: value for name, value in arguments.items() if value is not None}
        one.check(given)
        secret = self.secrets.get(provider, "")
        try:
            if about.auth.kind == "oauth2":
                secret = self._token(provider)
            method, url, parts = request(about, one, given, secret, self.addresses.get(provider))
            with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
                reply = client.request(method, url, **parts)
        except httpx2.HTTPError as error:
            raise unreachable(provider, error) from error
        answer = answer_of(provider, reply.status_code, reply.headers, reply.content)
        return {**answer, "cached": False}

    def _token(self, provider: str) -> str:
        url = f"{self.addresses[provider]}/oauth/token"
        with httpx2.Client(timeout=_TIMEOUT_S, trust_env=False) as client:
            given = client.post(url, data={"grant_type": "client_credentials"})
        return str(given.json().get("access_token", ""))


class NaiveDatabase(Database):
    """Block until a query is answered, over a new connection."""

    async def query(self, query: DatabaseQuery) -> dict[str, Any]:
        """Return a query's result. Raises ToolFailure."""
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(asyncio.run, super().query(query)).result()


class NaiveTools:
    """All tools, without anything around them."""

    def __init__(
        self, upstreams: NaiveUpstreams, uri: str, providers: Mapping[str, Provider]
    ) -> None:
        variables = Settings().variables()
        self._context = Context(upstreams, NaiveDatabase(uri, kept=False), "", variables)
        self._tools = {**catalog.TEN, **catalog.declared(providers)}

    def tools(self) -> Mapping[str, Tool]:
        return self._tools

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        client: str = "",  # noqa: ARG002 -- it does not ask
        request_id: str = "",  # noqa: ARG002 -- it writes nothing down
    ) -> dict[str, Any]:
        """Return what a tool answers. Raises ToolFailure."""
        if name not in self._tools:
            raise Refused("UNKNOWN_TOOL", f"there is no tool {name}"[:200], status=404)
        return await self._tools[name].run(arguments, self._context)

"""OAuth2 tokens of providers, per tenant, by authlib: concurrent callers cause one refresh."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from mcp_targets.business_tools.errors import Refused, ToolFailure
from mcp_targets.business_tools.upstreams.exchange import unreachable

LEEWAY_S: Final = 30
_STATE_S: Final = 600.0


class OAuthTenants:
    """A provider's tokens by tenant. `more` goes to authlib's client; tests give a transport."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        client_id: str,
        client_secret: str,
        **more: Any,
    ) -> None:
        self._provider = provider
        self._base = base_url
        self._new: Callable[[], AsyncOAuth2Client] = lambda: AsyncOAuth2Client(
            client_id,
            client_secret,
            token_endpoint=f"{base_url}/oauth/token",
            grant_type="client_credentials",
            leeway=LEEWAY_S,
            trust_env=False,
            **more,
        )
        self._clients: dict[str, AsyncOAuth2Client] = {}
        self._asked: dict[str, tuple[str, float]] = {}

    def authorise(self, tenant: str) -> str:
        """Return the address where a tenant's user agrees; it redirects to `callback`."""
        url, state = self._new().create_authorization_url(
            f"{self._base}/oauth/authorize", state=secrets.token_urlsafe(24)
        )
        now = time.time()
        self._asked = {one: kept for one, kept in self._asked.items() if kept[1] > now}
        self._asked[state] = tenant, now + _STATE_S
        return str(url)

    async def callback(self, state: str, code: str) -> str:
        """Exchange a tenant's code for a token; return the tenant. Raises ToolFailure."""
        tenant, until = self._asked.pop(state, ("", 0.0))
        if not tenant or until < time.time():
            raise Refused("OAUTH_STATE_UNKNOWN", "nobody asked for this, or too long ago")
        client = self._new()
        try:
            with self._told():
                await client.fetch_token(grant_type="authorization_code", code=code)
            client, self._clients[tenant] = self._clients.get(tenant, client), client
        finally:
            if client is not self._clients.get(tenant):
                await client.aclose()
        return tenant

    async def token(self, tenant: str = "") -> str:
        """Return a token that stays valid for a while. Raises ToolFailure.

        A tenant that has not agreed is refused. The empty tenant is the server's account, which
        does not need to agree.
        """
        client = self._clients.get(tenant)
        if client is None:
            if tenant:
                message = f"{tenant} has not agreed yet"
                hint = f"Open /oauth/{self._provider}/authorise?tenant={tenant} first."
                raise Refused("OAUTH_NOT_AUTHORISED", message, hint, provider=self._provider)
            client = self._clients[tenant] = self._new()
            client.token = {"access_token": "", "expires_at": 1}
        with self._told():
            await client.ensure_active_token(client.token)
        return str(client.token["access_token"])

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the errors of a token request into ToolFailure."""
        try:
            yield
        except OAuthError as error:
            raise ToolFailure(
                f"{self._provider.upper()}_AUTH_FAILED",
                f"{self._provider} refused a token: {error.error}"[:200],
                "Authorise again, or check the client's id and secret.",
                status=502,
                provider=self._provider,
            ) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise unreachable(self._provider, error) from error

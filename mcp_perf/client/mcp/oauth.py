"""OAuth 2.1 as MCP uses it, for one identity: all users that have it share one token.

The flow itself (metadata of the resource and of its authorization server, registration, PKCE,
scopes, refresh) is the official SDK's, driven here step by step: its coroutines only build requests
and read replies, so they need no event loop, and one lock makes concurrent users wait for one
renewal.
"""

import json
import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import (
    OAuthClientProvider,
    OAuthFlowError,
    OAuthRegistrationError,
    OAuthTokenError,
)
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp.shared.exceptions import MCPDeprecationWarning
from pydantic import AnyUrl, ValidationError

from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.endpoint import Endpoint, Origin, with_body
from mcp_perf.client.reply import ignore
from mcp_perf.outcomes import OK

# It logs every failure with its traceback; whoever waits for the token gets one sentence.
logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL + 1)

Hide = Callable[[Iterable[str]], None]
"""Gets every secret the moment it is there, before anybody can repeat it."""

_LONG_AGO_S: Final = 1.0
_ANSWER_S: Final = 30.0
_REFUSAL: Final = re.compile(r"[A-Z][a-z ]+(?: \(\d+\)|: \d+)")
"""How the flow reports a refusal, before it quotes everything that the reply says."""
_FRAMING: Final = ("host", "content-length", "connection", "accept-encoding", "user-agent")
"""Headers that the engine writes itself."""
_UNFIT: Final = re.compile(r"[^!-~]")
_CHALLENGE: Final = "S256"
"""The method of PKCE that the flow uses; the specification (2025-11-25, "Authorization code
protection") makes clients refuse a server whose metadata does not list it."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Who the client is to the authorization server."""

    client_id: str = ""
    """Empty: the client registers itself, or is known by its metadata document."""
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    """PEM; the client then proves who it is by signing (`private_key_jwt`)."""
    algorithm: str = "ES256"
    grant: Literal["client_credentials", "authorization_code"] = "client_credentials"
    method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: tuple[str, ...] = ()
    issuer: str = ""
    """The authorization server that the credentials belong to; no other gets them."""
    metadata_url: str = ""
    """Where the client's metadata document is; used if the server takes such documents."""
    redirect_uri: str = "http://127.0.0.1:8976/callback"
    """Nobody listens there: the code is read from the redirect itself."""


class Exchanges:
    """Sends what the flow asks for, through the engine that sends everything else."""

    def __init__(
        self, endpoint: Callable[[str], Endpoint] = Endpoint.of, target: Origin | None = None
    ) -> None:
        """`endpoint` reads an address; requests to the calls' `target` go the way of the calls."""
        self._endpoint, self._target = endpoint, target

    def send(self, asked: httpx2.Request, *, only_public: bool = False) -> httpx2.Response:
        """Send a request on a new connection; no redirect is followed.

        With `only_public`, it never connects to addresses of private networks. Raises
        OAuthFlowError.
        """
        endpoint, target = self._endpoint(str(asked.url)), self._target
        origin = target if target and target.same(endpoint.url) else endpoint.origin
        connection = Connection(replace(origin, only_public=only_public))
        given = [(name, text) for name, text in asked.headers.items() if name not in _FRAMING]
        fields = endpoint.fields([*given, ("Accept-Encoding", "identity")])
        head = endpoint.line(asked.method, endpoint.target) + fields
        reply = connection.exchange(with_body(head, asked.read()), _ANSWER_S)
        connection.close()
        if reply.outcome != OK:
            raise OAuthFlowError(f"{endpoint.url}: {reply.detail}")
        headers = connection.reader.headers
        kept = [(name, text) for name, text in headers if name.lower() != b"content-encoding"]
        return httpx2.Response(reply.status, headers=kept, content=reply.body, request=asked)


class OAuthCredentials:
    """The credentials of one identity."""

    def __init__(
        self,
        url: str,
        identity: Registration,
        *,
        http: Exchanges | None = None,
        hide: Hide = ignore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token = ""
        """The access token in use; empty until the server has asked for one."""
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._http = http or Exchanges()
        self._named = [Origin.of(one) for one in (url, identity.issuer) if one]
        with warnings.catch_warnings():
            # It warns that, without an issuer, any authorization server gets the credentials: a
            # scenario has to name one.
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            self._provider = _provider(url, identity, self._send, hide)
        # Our own lock is held around it, and needs no event loop.
        self._provider.context.lock = nullcontext()  # type: ignore[assignment]
        self._scopes = " ".join(identity.scopes)
        self._refreshed = ""
        self._answered: set[str] = set()
        self._failures = 0
        self._failure = ""
        """The last one, for users who waited for the same renewal."""

    def current(self) -> str:
        """Return the token to use now; an expired one is renewed first. Raises TargetError.

        The authorization server said when it expires.
        """
        used = self.token  # before its time is looked at: another user may renew it meanwhile
        expiry_s = self._provider.context.token_expiry_time
        if used and expiry_s and self._clock() >= expiry_s:
            self.renew(used, 401, "", "")
        return self.token

    def renew(self, used: str, status: int, challenge: str, version: str) -> None:
        """Get another token than `used`, which the server answered by 401, or by 403 for its scope.

        `challenge` is the server's WWW-Authenticate, `version` the protocol version that is
        spoken. Users that wait for each other share one attempt, whether it succeeds or not. Raises
        NegotiationError.
        """
        failures = self._failures
        with self._lock:
            if self.token != used:
                return
            if self._failures != failures:  # while we waited: it was our attempt as well
                raise NegotiationError(self._failure)
            context = self._provider.context
            if status == 403:
                if challenge in self._answered:
                    hint = f"add scopes under oauth: {challenge}"
                    raise NegotiationError(f"the granted scope is not enough, {hint}")
                self._answered.add(challenge)
            elif context.can_refresh_token() and used != self._refreshed:
                context.token_expiry_time = _LONG_AGO_S  # then it is refreshed first
            try:
                self.token = self._obtain(status, challenge, version)
            except (OAuthFlowError, ValidationError, ValueError) as error:
                self._failures += 1
                self._failure = f"no access token: {_said(error)}"
                raise NegotiationError(self._failure) from error

    def _send(self, asked: httpx2.Request) -> httpx2.Response:
        """Send what the metadata asks for; into a private network only if the user named it."""
        return self._http.send(asked, only_public=not self._is_named(asked))

    def _ask(self, asked: httpx2.Request) -> httpx2.Response:
        """Send a request of the flow. Raises OAuthFlowError for somebody else's metadata."""
        if asked.method == "GET" and not self._is_named(asked):
            where = f"{asked.url.scheme}://{asked.url.netloc.decode()}"
            raise OAuthFlowError(
                f"the server points to {where}, which is neither its address nor the issuer: if "
                f"it is the right authorization server, write issuer: {where} under oauth"
            )
        return self._send(asked)

    def _is_named(self, asked: httpx2.Request) -> bool:
        return any(origin.same(str(asked.url)) for origin in self._named)

    def _obtain(self, status: int, challenge: str, version: str) -> str:
        """Walk through the flow: it yields the call itself, and what has to be asked first."""
        if self._scopes and status == 401 and "scope=" not in challenge:
            # The flow asks for the scope that the server names, otherwise for what its metadata
            # offers.
            challenge = f'{challenge or "Bearer"}, scope="{self._scopes}"'
        call = httpx2.Request("POST", self._url, headers={"MCP-Protocol-Version": version})
        refused = httpx2.Response(status, headers={"WWW-Authenticate": challenge}, request=call)
        used = self.token
        flow = self._provider.async_auth_flow(call)
        asked = _finish(flow.__anext__())
        told = False
        try:
            while asked is not call or not told:
                if asked is not call:
                    response = self._ask(asked)
                elif self._token() != used:
                    self._refreshed = self._token()
                    break
                else:
                    response, told = refused, True
                asked = _finish(flow.asend(response))
        except StopAsyncIteration:
            pass
        finally:
            _finish(flow.aclose())
        return self._token()

    def _token(self) -> str:
        tokens = self._provider.context.current_tokens
        return "" if tokens is None else tokens.access_token


@dataclass(slots=True)
class _Memory:
    """Where the SDK's flow keeps what it got: only here."""

    hide: Hide
    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.hide(filter(None, (tokens.access_token, tokens.refresh_token)))
        if _UNFIT.search(tokens.access_token):
            tokens.access_token = ""  # the flow has it already, and would use it
            unfit = "a line end, a blank or a letter that is not allowed in a header"
            raise OAuthFlowError(f"it contains {unfit}")
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.hide(filter(None, (client_info.client_secret,)))
        self.client = client_info


@dataclass(slots=True)
class _Redirect:
    """Follows the way to the authorization code, if no person has to be asked."""

    send: Callable[[httpx2.Request], httpx2.Response]
    hide: Hide
    context: OAuthContext | None = None
    """What the flow has found out; None until there is a flow."""
    query: dict[str, list[str]] = field(default_factory=dict)

    async def follow(self, url: str) -> None:
        metadata = None if self.context is None else self.context.oauth_metadata
        if metadata and _CHALLENGE not in (metadata.code_challenge_methods_supported or ()):
            raise OAuthFlowError(
                f"the metadata of the authorization server does not list {_CHALLENGE} under "
                "code_challenge_methods_supported: without PKCE no code is asked for"
            )
        response = self.send(httpx2.Request("GET", url))
        self.query = parse_qs(urlsplit(response.headers.get("location", "")).query)
        self.hide(self.query.get("code", ()))
        if "code" not in self.query:
            said = self.query.get("error", [f"HTTP {response.status_code} without a code"])[0]
            raise OAuthFlowError(
                f"the authorization server did not redirect without a user ({said}); "
                "write client_credentials under oauth, or a token in headers"
            )

    async def result(self) -> AuthorizationCodeResult:
        code, state, iss = (self.query.get(name, [""])[0] for name in ("code", "state", "iss"))
        return AuthorizationCodeResult(code=code, state=state or None, iss=iss or None)


def _said(error: Exception) -> str:
    """Say why there is no token, without the reply: a malformed one may contain a token."""
    for cause in (error, error.__cause__, error.__context__):
        if isinstance(cause, ValidationError):
            faults = cause.errors(include_url=False, include_input=False, include_context=False)
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults)
            return f"the reply of the authorization server is invalid: {told.removeprefix(': ')}"
    if not isinstance(error, OAuthTokenError | OAuthRegistrationError):
        return str(error)
    # From a refusal, what RFC 6749 (5.2) and RFC 7591 (3.2.2) make it say.
    head = _REFUSAL.match(str(error))
    try:
        body = json.loads(str(error)[str(error).index("{") :])
    except ValueError:
        body = {}
    told = " ".join(str(body[name]) for name in ("error", "error_description") if name in body)
    return f"{head[0] if head else 'refused'}: {told or 'no words of OAuth'}"


def _finish(awaitable: Any) -> Any:
    """Run a coroutine that waits for nothing to its end."""
    coroutine: Coroutine[Any, Any, Any] = awaitable
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise OAuthFlowError("the flow waits for something that is not HTTP")


def _provider(
    url: str, identity: Registration, send: Callable[[httpx2.Request], httpx2.Response], hide: Hide
) -> OAuthClientProvider:
    scope = " ".join(identity.scopes) or None
    issuer = identity.issuer or None
    memory = _Memory(hide)
    if identity.private_key:
        signing = SignedJWTParameters(
            issuer=identity.client_id,
            subject=identity.client_id,
            signing_key=identity.private_key,
            signing_algorithm=identity.algorithm,
        )
        sign = signing.create_assertion_provider()
        return PrivateKeyJWTOAuthProvider(url, memory, identity.client_id, sign, scope, issuer)
    if identity.grant == "client_credentials":
        return ClientCredentialsOAuthProvider(
            url, memory, identity.client_id, identity.client_secret, identity.method, scope, issuer
        )
    return _code_provider(url, identity, memory, _Redirect(send, hide), scope)


def _code_provider(
    url: str, identity: Registration, memory: _Memory, redirect: _Redirect, scope: str | None
) -> OAuthClientProvider:
    uris = [AnyUrl(identity.redirect_uri)]
    if identity.client_id:
        memory.client = OAuthClientInformationFull(
            client_id=identity.client_id,
            client_secret=identity.client_secret or None,
            redirect_uris=uris,
            token_endpoint_auth_method=identity.method if identity.client_secret else "none",
            issuer=identity.issuer or None,
        )
    wanted = OAuthClientMetadata(client_name="mcp-perf", redirect_uris=uris, scope=scope)
    document = identity.metadata_url or None
    provider = OAuthClientProvider(
        url, wanted, memory, redirect.follow, redirect.result, client_metadata_url=document
    )
    redirect.context = provider.context
    return provider

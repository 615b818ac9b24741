"""Who may call a provider: callers with its key, or with a token that it issued and accepts."""

import random
from collections.abc import Callable
from typing import Any

from mcp_targets.serving.httpd import Request
from mcp_targets.upstream.provider import Auth


class Credentials:
    """Check requests as a provider file says. `clock` is monotonic, in seconds."""

    def __init__(self, auth: Auth | None, clock: Callable[[], float], rng: random.Random) -> None:
        self._auth = auth
        self._clock = clock
        self._rng = rng
        self._good_until: dict[str, float] = {}
        self._refresh: set[str] = set()

    def good(self, request: Request) -> bool:
        """Return whether a request may be answered."""
        auth = self._auth
        if auth is None:
            return True
        if auth.query:
            return request.query().get(auth.query) == auth.value
        given = request.headers.get(auth.header.encode(), b"").decode("latin-1")
        if auth.tokens:
            return self._good_until.get(given.removeprefix("Bearer "), 0.0) > self._clock()
        return given == auth.value

    def issue(self, given: dict[str, Any], lifetime_s: float) -> dict[str, Any] | None:
        """Return a new token, or None if the grant is not valid. RFC 6749, 4.4 and 6."""
        refreshing = given.get("grant_type") == "refresh_token"
        if refreshing and given.get("refresh_token") not in self._refresh:
            return None
        token, refresh = (f"{kind}_{self._rng.getrandbits(128):032x}" for kind in ("at", "rt"))
        self._good_until[token] = self._clock() + lifetime_s
        self._refresh.add(refresh)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime_s,
            "refresh_token": refresh,
        }

"""JSON Web Tokens of callers, with joserfc: HS256, with subject and end."""

import time
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

AUDIENCE: Final = "business-tools"
_ALGORITHMS: Final = ["HS256"]
"""No other: a token does not choose how it is checked (RFC 8725, 3.1)."""


def issue(secret: str, client: str, lifetime_s: float) -> str:
    """Return a token for a client."""
    now = int(time.time())
    claims = {"sub": client, "aud": AUDIENCE, "iat": now, "exp": now + int(lifetime_s)}
    return str(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret)))


def client_of(token: str, secret: str) -> str | None:
    """Return the owner of a token. None if it is malformed, somebody else's, or expired."""
    if not secret:
        return None
    wanted = jwt.JWTClaimsRegistry(
        now=lambda: int(time.time()),
        sub={"essential": True},
        exp={"essential": True},
        aud={"essential": True, "value": AUDIENCE},
    )
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=_ALGORITHMS).claims
        wanted.validate(claims)
    except (JoseError, ValueError):
        return None
    return str(claims["sub"])

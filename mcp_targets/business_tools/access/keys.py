"""API keys. Only hashes are kept; a client may have several keys, which allows rotation."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

_PREFIX: Final = "btk_"


def new_key() -> tuple[str, str]:
    """Return a key for a client, and the hash for the settings."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, digest(key)


def digest(key: str) -> str:
    """Return a key's hash. Keys are random and long: salt and slowness would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def client_of(key: str, hashes: Mapping[str, str]) -> str | None:
    """Return the owner of a key, or None. `hashes` has names such as `shop/1` and `shop/2`.

    To rotate: add `shop/2`, give the client its new key, remove `shop/1`. Both work meanwhile.
    """
    given = digest(key)
    found = None
    for name, known in hashes.items():
        # All are compared: the time taken must not reveal which one matched.
        if hmac.compare_digest(given, known):
            found = name.partition("/")[0]
    return found

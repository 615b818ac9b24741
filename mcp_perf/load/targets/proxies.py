"""The proxies that the environment names: other clients use them, and calls of a run do not."""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed lacks it
    proxy_bypass_environment,
)

_HERE: Final = ("localhost", "127.0.0.1", "::1")


def unused(url: str, proxy: str, environ: Mapping[str, str] = os.environ) -> str:
    """Name the variable by which other clients would go to an address through a proxy, if any.

    `proxy` is the arm's own. As curl has it: by the scheme, else for all, unless `no_proxy` names
    the host; and not for this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    names = (f"{parts.scheme}_proxy", "all_proxy")
    written = (one for name in names for one in (name, name.upper()) if environ.get(one))
    found = next(written, "")
    direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if proxy or not found or host in _HERE or proxy_bypass_environment(host, {"no": direct}):
        return ""
    return f"{found} is set, and is not used: write `proxy: URL` for the arm if that is the way"

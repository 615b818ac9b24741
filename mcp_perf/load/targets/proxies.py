"""The proxies that the environment names: other clients use them, but calls of a run do not."""

import os
import urllib.request
from collections.abc import Mapping
from typing import Final

from mcp_perf.scenario.model.targets import hostname

_HERE: Final = ("localhost", "127.0.0.1", "::1")


def unused(url: str, proxy: str, environ: Mapping[str, str] = os.environ) -> str:
    """Name the variable that makes other clients use a proxy for an address; empty if none does.

    `proxy` is the arm's own. The rules are those that curl has: the variable of the scheme comes
    before the one for all; neither counts if `no_proxy` names the host, nor for this machine.
    """
    host, scheme = hostname(url), url.partition(":")[0]
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    found = next(filter(environ.get, names), "")
    direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined] # typeshed's lack
    if proxy or not found or host in _HERE or bypass(host, {"no": direct}):
        return ""
    return f"{found} is set but not used. To use this proxy, write `proxy: URL` for the arm"

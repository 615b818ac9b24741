"""`mcp-perf agent serve`: the session API behind the lock that all our pages have."""

from typing import Final

from mcp_perf import settings
from mcp_perf.agent.api import build
from mcp_perf.agent.store import AgentStore
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import serving
from mcp_perf.load.web.admission import SHORTEST
from mcp_perf.load.web.asgi import AsgiGuard

KEY: Final = "MCP_PERF_AGENT_KEY"


def locked(store: AgentStore, host: str, port: int, *, login: bool) -> tuple[AsgiGuard, str]:
    """Return the application behind its lock, and how it is opened. Raises Refusal."""
    key = settings.current().agent_key.get_secret_value()
    if key and not login and len(key) < SHORTEST:
        raise Refusal(f"{KEY} has {len(key)} characters; set it to at least {SHORTEST}")
    return serving.locked(build(store), host, port, login=login, key=key)

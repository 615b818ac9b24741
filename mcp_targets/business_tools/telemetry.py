"""Metrics, under the names that the alerts use, and structured logs without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECRET: Final = re.compile(
    r"secret|token|password|authorization|api_?key|uri|redis_url", re.IGNORECASE
)
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; 0.2 is the service level."""


class Metrics:
    """The metrics that Prometheus reads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.calls = Counter(
            "mcp_api_calls", "Calls of tools.", ["tool", "status"], registry=self._registry
        )
        self.latency = Histogram(
            "mcp_api_latency_seconds",
            "How long calls of tools took.",
            ["tool"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.connections = Gauge(
            "mcp_active_connections",
            "Requests under way to a service.",
            ["service"],
            registry=self._registry,
        )
        self.circuits = Gauge(
            "mcp_circuit_open", "1 while a breaker is open.", ["provider"], registry=self._registry
        )
        self.cache = Gauge(
            "mcp_cache_answers", "Hits and misses of the cache.", ["kind"], registry=self._registry
        )

    def text(self) -> bytes:
        return generate_latest(self._registry)


def redacted(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values whose names look like a secret's: a processor of structlog."""
    for name in event:
        if _SECRET.search(name):
            event[name] = "***"
    return event


def configure_logs() -> None:
    """Write logs as JSON lines to standard error: failed calls, and anything worse."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redacted,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # /health reports a cache that is gone; cashews would log every lookup.
    logging.getLogger("cashews").setLevel(logging.CRITICAL)
    # httpx2 logs addresses, and an address may contain a key.
    logging.getLogger("httpx2").setLevel(logging.ERROR)

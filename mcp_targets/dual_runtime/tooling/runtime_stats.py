"""What each runtime did: calls, errors, latency."""

import threading
from collections import deque
from typing import Any, Final

_KEPT: Final = 4096
"""Percentiles are of the last so many calls."""
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class RuntimeStats:
    """Count the calls of one runtime; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._errors = 0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)

    def record(self, latency_s: float, *, failed: bool) -> None:
        with self._lock:
            self._calls += 1
            self._errors += failed
            self._latencies_ms.append(latency_s * 1000)

    def shown(self) -> dict[str, Any]:
        """Return the counts, and the nearest-rank percentiles in milliseconds."""
        with self._lock:
            times = sorted(self._latencies_ms)
            calls, errors = self._calls, self._errors
        last = len(times) - 1
        quantiles = {
            name: round(times[round(share * last)], 3) if times else None
            for name, share in _SHARES.items()
        }
        return {"calls": calls, "errors": errors, "latency_ms": quantiles}

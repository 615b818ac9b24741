"""Counters of the activity between peers, and alerts if too much of it fails."""

import threading
from collections import deque
from typing import Any, Final

LIMITS: Final = {"discovery": 0.30, "workflow": 0.20, "bootstrap": 0.50}
"""The share of failures above which an alert is raised."""
_WINDOW: Final = 100
_FEWEST: Final = 10
"""Fewer outcomes than this raise no alert."""


class Monitor:
    """Count outcomes by area; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals = {area: [0, 0] for area in LIMITS}
        self._last: dict[str, deque[bool]] = {area: deque(maxlen=_WINDOW) for area in LIMITS}

    def count(self, area: str, *, failed: bool) -> None:
        with self._lock:
            self._totals[area][failed] += 1
            self._last[area].append(failed)

    def counters(self) -> dict[str, dict[str, int]]:
        return {
            area: {"succeeded": succeeded, "failed": failed}
            for area, (succeeded, failed) in self._totals.items()
        }

    def alerts(self) -> list[dict[str, Any]]:
        """Return the areas in which too many of the last outcomes were failures."""
        found = []
        for area, limit in LIMITS.items():
            last = list(self._last[area])
            if len(last) >= _FEWEST and (share := sum(last) / len(last)) > limit:
                found.append({"area": area, "failed": round(share, 4), "limit": limit})
        return found

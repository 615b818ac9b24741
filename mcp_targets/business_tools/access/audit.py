"""The audit log: one JSON object a line, for operations, changes and failed logins."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

Event = Literal["operation", "configuration_change", "login_failed", "webhook"]


class Audit:
    """Append events to a file. Arguments appear by name only, without their values."""

    def __init__(self, path: Path | None, on: Callable[[], bool] = lambda: True) -> None:
        """With `path` None, events are only counted; `on` returns whether to do either."""
        self._on = on
        self._file = path.open("a", encoding="utf-8", buffering=1) if path is not None else None
        self.counts: dict[str, int] = {}

    def write(self, event: Event, who: str, request_id: str = "", **details: Any) -> None:
        """Write an event down."""
        if not self._on():
            return
        self.counts[event] = self.counts.get(event, 0) + 1
        if self._file is None:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "who": who,
            "request_id": request_id,
            **details,
        }
        self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

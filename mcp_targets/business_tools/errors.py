"""What goes wrong in a tool, in the one form that every face shows."""

from datetime import UTC, datetime
from typing import Any


class ToolFailure(Exception):  # noqa: N818 -- a result of the tool, not an error of the program
    """The tool refuses or fails. `status` is the HTTP status that REST answers."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        *,
        status: int = 400,
        retry_after_s: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.status = status
        self.retry_after_s = retry_after_s
        self.details = details

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the standard body. Its time is in UTC."""
        details = {
            "provider": None,
            **self.details,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": request_id,
        }
        if self.retry_after_s is not None:
            details["retry_after_s"] = round(self.retry_after_s, 3)
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "details": details,
                "hint": self.hint,
            }
        }


class Refused(ToolFailure):
    """The caller must change something: this request can never work."""


class Limited(ToolFailure):
    """There were too many requests in too short a time; try again after `retry_after_s`."""

    def __init__(self, code: str, message: str, retry_after_s: float, **details: Any) -> None:
        hint = f"Ask again in {retry_after_s:.1f} s."
        super().__init__(code, message, hint, status=429, retry_after_s=retry_after_s, **details)


class Unavailable(ToolFailure):
    """The provider failed. `sent` is whether it may have done the work all the same."""

    def __init__(self, code: str, message: str, hint: str = "", *, sent: bool, **more: Any) -> None:
        super().__init__(code, message, hint, **{"status": 502, **more})
        self.sent = sent

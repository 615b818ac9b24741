"""What goes wrong in a tool, in the one form that both faces show."""

from typing import Any


class ToolFailure(Exception):  # noqa: N818 -- a result of the tool, not an error of the program
    """The tool refuses or fails. `status` is the HTTP status of the REST face."""

    status = 400

    def __init__(self, code: str, message: str, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "details": self.details,
                "hint": self.hint,
            }
        }


class NotFound(ToolFailure):
    """The requested thing does not exist."""

    status = 404


class Conflict(ToolFailure):
    """The thing is in a state that does not allow the operation."""

    status = 409


class Transient(ToolFailure):
    """It may work the next time; retry policies exist for this."""

    status = 502


class TimedOut(Transient):
    """It took longer than the tool's metadata allow."""

    status = 504

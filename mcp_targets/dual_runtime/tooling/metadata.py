"""What is known about a tool besides its code. Everything about these fields lives here."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar, get_args

import msgspec

Runtime = Literal["auto", "fastapi", "trio"]
RetryPolicy = Literal["none", "fixed", "linear", "exponential"]
Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

ATTRIBUTE: Final = "__tool_metadata__"


class ToolMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """How a tool is to be run and shown. Raises ValueError for contradictory fields."""

    name: str
    runtime: Runtime = "auto"
    requires_p2p: bool = False
    """It touches peer-to-peer state, which lives on Trio."""
    category: str = "general"
    priority: int = 5
    """0 to 10; when calls wait for a slot, the higher goes first."""
    timeout_seconds: float = 30.0
    """For each attempt."""
    retry_policy: RetryPolicy = "none"
    memory_intensive: bool = False
    cpu_intensive: bool = False
    io_intensive: bool = False
    mcp_schema: dict[str, Any] | None = None
    """JSON Schema of the arguments; made from the function's signature by default."""
    mcp_description: str = ""
    """The first line of the function's docstring by default."""
    cache_ttl: float | None = None
    """How many seconds a result may be reused; None means never."""
    schema_version: str = "1.0.0"
    deprecated: bool = False
    deprecation_message: str = ""

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ValueError(f"tool {self.name!r}: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        rules = {
            "name must be lower case words joined by _": self.name.isidentifier()
            and self.name == self.name.lower(),
            f"runtime must be one of {get_args(Runtime)}": self.runtime in get_args(Runtime),
            f"retry_policy must be one of {get_args(RetryPolicy)}": self.retry_policy
            in get_args(RetryPolicy),
            "priority must be from 0 to 10": 0 <= self.priority <= 10,
            "timeout_seconds must be above 0": self.timeout_seconds > 0,
            "cache_ttl must be above 0": self.cache_ttl is None or self.cache_ttl > 0,
            "requires_p2p needs runtime auto or trio": not self.requires_p2p
            or self.runtime != "fastapi",
            "category must not be empty": bool(self.category),
            "a deprecated tool needs a deprecation_message": not self.deprecated
            or bool(self.deprecation_message),
        }
        return [problem for problem, holds in rules.items() if not holds]


def tool_metadata(**fields: Any) -> Callable[[F], F]:
    """Attach metadata to a function, with its name and docstring as name and description.

    Raises ValueError, or TypeError for an unknown field, when the function is defined.
    """

    def decorate(function: F) -> F:
        summary = (function.__doc__ or "").strip().partition("\n")[0]
        named = {"name": function.__name__, "mcp_description": summary, **fields}
        setattr(function, ATTRIBUTE, ToolMetadata(**named))
        return function

    return decorate


def p2p_metadata(**fields: Any) -> Callable[[F], F]:
    """Do the same for a function that touches peer-to-peer state."""
    return tool_metadata(runtime="trio", requires_p2p=True, **fields)


def metadata_of(function: Function) -> ToolMetadata | None:
    """Return what the decorator attached, or None."""
    found = getattr(function, ATTRIBUTE, None)
    return found if isinstance(found, ToolMetadata) else None

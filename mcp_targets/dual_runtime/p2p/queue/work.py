"""The kinds of work that a task or a workflow step may do."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.to_thread

from mcp_targets.dual_runtime.errors import ToolFailure

MAX_MS: Final = 60_000
MAX_ROUNDS: Final = 100_000

Payload = dict[str, Any]


async def _echo(payload: Payload) -> Any:
    return payload.get("value")


async def _sleep(payload: Payload) -> Any:
    wait_ms = _number(payload, "ms", 0, MAX_MS)
    await anyio.sleep(wait_ms / 1000)
    return {"slept_ms": wait_ms}


async def _sum(payload: Payload) -> Any:
    numbers = payload.get("numbers")
    if not isinstance(numbers, list) or not all(_is_number(item) for item in numbers):
        raise ToolFailure("BAD_PAYLOAD", "sum needs numbers: a list of numbers")
    return sum(numbers)


async def _hash(payload: Payload) -> Any:
    rounds = int(_number(payload, "rounds", 1, MAX_ROUNDS))
    start = str(payload.get("text", "")).encode()
    return await anyio.to_thread.run_sync(_digest, start, rounds, abandon_on_cancel=True)


def _digest(value: bytes, rounds: int) -> str:
    for _ in range(rounds):
        value = hashlib.sha256(value).digest()
    return value.hex()


async def _fail(payload: Payload) -> Any:
    raise ToolFailure("TASK_FAILED", str(payload.get("message", "it was asked to fail")))


KINDS: Final[dict[str, Callable[[Payload], Awaitable[Any]]]] = {
    "echo": _echo,
    "sleep": _sleep,
    "sum": _sum,
    "hash": _hash,
    "fail": _fail,
}


def check_kind(kind: str) -> None:
    """Refuse an unknown kind. Raises ToolFailure."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ToolFailure("UNKNOWN_KIND", f"there is no kind of work {kind!r}", f"one of {known}")


def expected_ms(kind: str, payload: Payload) -> float:
    """Return the least time that work takes, for critical paths."""
    wait_ms = payload.get("ms", 0) if kind == "sleep" else 0
    return float(wait_ms) if _is_number(wait_ms) else 0.0


async def do(kind: str, payload: Payload) -> Any:
    """Do a piece of work and return its result. Raises ToolFailure."""
    check_kind(kind)
    return await KINDS[kind](payload)


def _number(payload: Payload, name: str, low: float, high: float) -> float:
    value = payload.get(name, low)
    if not _is_number(value) or not low <= value <= high:
        raise ToolFailure("BAD_PAYLOAD", f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

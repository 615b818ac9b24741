"""The tools as plain functions. Tools that talk to their caller are in protocol/calls."""

import asyncio
from typing import Any, NoReturn

Result = dict[str, Any]


def echo(message: str) -> Result:
    """Send a message back."""
    return {"message": message}


def add(a: float, b: float) -> Result:
    """Return a + b, as an integer if it is one."""
    value = float(a + b)
    return {"sum": int(value) if value.is_integer() else value}


async def sleep(ms: float) -> Result:
    """Answer after a time. The servers use their timer instead, which is more precise."""
    await asyncio.sleep(ms / 1000)
    return slept(ms)


def slept(ms: float) -> Result:
    """Return the result of `sleep`."""
    return {"slept_ms": ms}


def fail(message: str) -> NoReturn:
    """Fail with an exception."""
    raise RuntimeError(message)


def big(bytes: int) -> str:  # noqa: A002 -- the argument's name at every door
    """Return a text of some length."""
    return "x" * bytes

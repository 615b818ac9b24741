"""The tools as plain functions. Those that talk to their caller meanwhile are in protocol/calls."""

import asyncio
from typing import Any, NoReturn

Result = dict[str, Any]


def echo(message: str) -> Result:
    """Send a message back."""
    return {"message": message}


def add(a: float, b: float) -> Result:
    """Return a + b, as an integer where it is one."""
    value = float(a + b)
    return {"sum": int(value) if value.is_integer() else value}


async def sleep(ms: float) -> Result:
    """Answer after a time. The servers wait by a timer of their own, which is more exact."""
    await asyncio.sleep(ms / 1000)
    return slept(ms)


def slept(ms: float) -> Result:
    """Say what `sleep` says in the end."""
    return {"slept_ms": ms}


def fail(message: str) -> NoReturn:
    """Fail, by an exception that says so."""
    raise RuntimeError(message)


def big(bytes: int) -> str:  # noqa: A002 -- the argument's name at every door
    """Return a text of some length."""
    return "x" * bytes

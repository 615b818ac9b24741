"""Whose CPU and memory are sampled while an arm runs: how it is written in a scenario."""

import re
from typing import Any, Final, Literal, NamedTuple

from mcp_perf.scenario.model.syntax import url
from mcp_perf.scenario.problems.suggestions import suggest
from mcp_perf.scenario.problems.wording import InputError, one_of, quote

Kind = Literal["auto", "none", "pid", "container", "prometheus"]
KEYS: Final = ("pid", "container", "prometheus")

_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
"""A container's name or id, as Docker and Podman allow it; never an option of theirs."""
_LARGEST_PID: Final = 2**31 - 1


class Resources(NamedTuple):
    """Where the numbers come from."""

    kind: Kind = "auto"
    """`auto`: the bundled system's processes, or whoever listens on the target's local port."""
    value: str = ""
    """The process id, the container's name, or the address of the metrics page."""


def whose(value: Any) -> Resources:
    """Read `none`, or a mapping of one key. Raises InputError."""
    if isinstance(value, Resources):
        return value
    if value in ("auto", "none"):
        return Resources("auto" if value == "auto" else "none")
    if not isinstance(value, dict):
        hint = "write {pid: 1234}, {container: NAME}, {prometheus: URL} or none"
        raise InputError(f"{quote(value)} does not say whose resources to measure", hint)
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        raise InputError(f"unknown key {quote(unknown[0])}", suggest(str(unknown[0]), KEYS))
    if len(value) != 1:
        raise InputError("resources takes exactly one key", f"write one of {one_of(KEYS)}")
    [(kind, given)] = value.items()
    return Resources(kind, _READ[kind](given))


def _pid(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_PID:
        raise InputError(f"{quote(value)} is not a process id", "write a whole number, like 1234")
    return str(value)


def _container(value: Any) -> str:
    if not isinstance(value, str) or not _CONTAINER.fullmatch(value):
        hint = "write it as `docker ps` shows it, in quotes if it is a number"
        raise InputError(f"{quote(value)} is not a container's name", hint)
    return value


_READ: Final = {"pid": _pid, "container": _container, "prometheus": url}

"""The load of a run in words: `20 users, closed, 6 rounds of 5 s`."""

from collections.abc import Mapping
from typing import Any

from mcp_perf import numbers


def describe(load: Mapping[str, Any]) -> str:
    """Say how much load there was, for how long; an empty string if the run does not say."""
    if not {"model", "shape", "rounds", "round_s"} <= load.keys():
        return ""
    said = [_level(load), str(load["model"]), *_rounds(load)]
    if load.get("arrivals", "constant") != "constant":
        said.append(f"{load['arrivals']} arrivals")
    think = load.get("think_s") or [0]
    if max(think):
        said.append(f"think time {' to '.join(dict.fromkeys(map(_time, think)))}")
    return ", ".join(said)


def _time(seconds: float) -> str:
    """Write a time as people set it: `5 s`, `20 ms`."""
    value, unit = (seconds * 1000, "ms") if 0 < seconds < 0.1 else (seconds, "s")
    return f"{value:.6g}{numbers.THIN}{unit}" if value < 100 else numbers.seconds(value)


def _level(load: Mapping[str, Any]) -> str:
    users, shape = load.get("users"), load["shape"]
    is_open = load["model"] == "open"
    most = numbers.rate(load["rate_per_s"]) if is_open else numbers.counted(users, "user")
    if shape == "breakpoint":
        return f"search for the capacity up to {most}"
    return most if shape == "constant" else f"up to {most} ({shape})"


def _rounds(load: Mapping[str, Any]) -> list[str]:
    length, rounds = _time(load["round_s"]), load["rounds"]
    if load["shape"] == "breakpoint":
        return [f"trials of {length} or longer"]
    return [f"{numbers.counted(rounds, 'round')} of {length}"]

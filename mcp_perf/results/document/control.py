"""Which arm another one is compared with, by their names."""

from collections.abc import Iterable
from typing import Final

CONTROL: Final = "control"
"""The arm that stands for the work without what is tried, and for the machine."""


def control_of(arm: str, arms: Iterable[str]) -> str:
    """Return the control of an arm; empty if there is none.

    It is the control that has the arm's ending, such as `control-8ms` of `dual-8ms`, or `control`.
    """
    known = set(arms)
    _, dash, ending = arm.partition("-")
    found = (name for name in (f"{CONTROL}{dash}{ending}", CONTROL) if name in known)
    return next((name for name in found if name != arm), "") if arm != CONTROL else ""

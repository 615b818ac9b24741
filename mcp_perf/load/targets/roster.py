"""Which user has which identity; a user keeps its own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

Identity = Mapping[str, Any]
NOBODY: Final[Identity] = MappingProxyType({})
"""Every user's, where the scenario has no identities."""


class NoneLeft(Exception):  # noqa: N818 -- a user too many, not a fault
    """More users were asked for during the run than there are identities."""


class Roster:
    """The identities of one process; a user takes one, and gives it back when it goes."""

    def __init__(self, identities: Sequence[Identity], node: int = 0, nodes: int = 1) -> None:
        """`identities` are those of all `nodes`: each takes every n-th, n being their number."""
        self._used = bool(identities)
        self._free = list(identities[node::nodes])[::-1]

    def take(self) -> Identity:
        """Return an identity that no other user has. Raises NoneLeft."""
        if not self._used:
            return NOBODY
        if not self._free:
            raise NoneLeft("there are more users than identities; the user does nothing")
        return self._free.pop()

    def give_back(self, identity: Identity) -> None:
        if self._used:
            self._free.append(identity)

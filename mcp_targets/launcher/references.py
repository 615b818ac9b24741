"""References to systems: `twilio/mcp`, with flags `dual_runtime/mcp?preset=dual&pool=off`."""

import difflib
import re
from collections.abc import Container, Iterable
from importlib.util import find_spec

import msgspec

from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.specs import Process, System


class UnknownSystem(LookupError):  # noqa: N818 -- a mistake in a name, not a fault of the program
    """The system, its face or its flag does not exist, or the system is not installed."""


class Reference(msgspec.Struct, frozen=True):
    """A face of a system, and the flags to start the system with."""

    system: str
    face: str
    flags: tuple[tuple[str, str], ...] = ()
    """Sorted by name: the order in which they are written makes no difference."""

    @property
    def instance(self) -> str:
        """An identifier of the system with these flags, usable in a file name."""
        written = "-".join(f"{name}-{value}" for name, value in self.flags)
        return re.sub(r"[^\w.-]+", "_", "-".join(filter(None, [self.system, written])))

    def process_name(self, process: Process) -> str:
        return process.name + self.instance.removeprefix(self.system)

    def arguments(self, known: Container[str]) -> list[str]:
        """Return the flags that are known, as options."""
        return [
            part for name, value in self.flags if name in known for part in (f"--{name}", value)
        ]


def parse(ref: str) -> Reference:
    """Read and check a reference. Raises an UnknownSystem that says what to write."""
    address, _, query = ref.partition("?")
    name, slash, face = address.partition("/")
    if name not in SYSTEMS:
        raise UnknownSystem(f"there is no bundled system {name!r}; {_nearest(name, SYSTEMS)}")
    system = SYSTEMS[name]
    if missing := [package for package in system.needs if find_spec(package) is None]:
        needed = f"system {name!r} needs what is not installed ({', '.join(missing)})"
        raise UnknownSystem(f"{needed}: pip install 'mcp-perf[systems]'")
    if face not in system.faces:
        what = f"no face {face!r}" if slash else "no face given"
        hint = _nearest(face, system.faces)
        raise UnknownSystem(
            f"{what} for system {name!r}; {hint}. Write {name}/{next(iter(system.faces))}"
        )
    if query and not system.faces[face].process:
        raise UnknownSystem(f"the face {face!r} of {name!r} does not have flags; remove ?{query}")
    return Reference(name, face, _flags(name, system, query))


def _flags(name: str, system: System, query: str) -> tuple[tuple[str, str], ...]:
    known = {flag: words for process in system.processes for flag, words in process.flags.items()}
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        flag, equals, value = part.partition("=")
        if not known:
            raise UnknownSystem(f"system {name!r} does not have flags; remove ?{query}")
        if flag not in known:
            raise UnknownSystem(f"system {name!r} has no flag {flag!r}; {_nearest(flag, known)}")
        if not equals or not value or flag in given:
            raise UnknownSystem(f"{part!r}: write each flag once, as {flag}=VALUE")
        if known[flag] and value not in known[flag]:
            words = " or ".join(f"{flag}={word}" for word in known[flag])
            raise UnknownSystem(f"{part!r} for system {name!r}; write {words}")
        given[flag] = value
    return tuple(sorted(given.items()))


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    listed = f"there are {', '.join(names)}"
    return f"did you mean {' or '.join(near)}? ({listed})" if near else listed

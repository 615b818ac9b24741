"""The bundled systems. The engine reaches them only through this module."""

from mcp_perf.scenario.model.targets import Transport, split_target
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.systems import Face, SystemFailed, Systems, UnknownSystem, available

__all__ = ["Face", "SystemFailed", "Systems", "UnknownSystem", "available"]


def transport_of(line: str) -> Transport:
    """Return the transport of a target; it is `stdio`, too, for a face that each user starts."""
    transport, rest = split_target(line)
    name, _, face = rest.partition("?")[0].partition("/")
    known = SYSTEMS[name].faces if transport == "system" and name in SYSTEMS else {}
    return "stdio" if face in known and known[face].program else transport


def faces_of(name: str) -> list[str]:
    """Return the faces of a system. Raises UnknownSystem."""
    if name not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise UnknownSystem(f"there is no bundled system {name!r}; write one of {known}")
    # A face without a process is the first one as a program of each user, and does not have flags.
    return [face for face, spec in SYSTEMS[name].faces.items() if spec.process]

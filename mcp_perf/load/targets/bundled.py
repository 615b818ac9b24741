"""The bundled systems: the only way from the engine to those that it puts under load."""

from mcp_perf.scenario.model.targets import Transport, split_target
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.launcher.systems import Face, SystemFailed, Systems, UnknownSystem, available

__all__ = ["Face", "SystemFailed", "Systems", "UnknownSystem", "available"]


def transport_of(line: str) -> Transport:
    """Return the transport of a target: `stdio` also for a face that each user starts."""
    transport, rest = split_target(line)
    name, _, face = rest.partition("?")[0].partition("/")
    known = SYSTEMS[name].faces if transport == "system" and name in SYSTEMS else {}
    return "stdio" if face in known and known[face].program else transport


def faces_of(name: str) -> list[str]:
    """Return the faces of a system. Raises UnknownSystem."""
    if name not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise UnknownSystem(f"there is no bundled system {name!r}; write one of {known}")
    # One that has no flags is the same as the first; each user starts it by a command.
    return [face for face, spec in SYSTEMS[name].faces.items() if spec.process]

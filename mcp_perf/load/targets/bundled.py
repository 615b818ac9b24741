"""The bundled systems: the only way from the engine to those that it puts under load."""

from mcp_targets.launcher.systems import Face, SystemFailed, Systems, UnknownSystem, available

__all__ = ["Face", "SystemFailed", "Systems", "UnknownSystem", "available"]

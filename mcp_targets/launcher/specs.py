"""The parts of a bundled system: processes, and faces on them."""

import msgspec


class Process(msgspec.Struct, frozen=True):
    """A process: `python -m mcp_targets.<module>`.

    An argument `{name}` stands for the ready file of the system's process of that name.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    flags: dict[str, tuple[str, ...]] = {}
    """What an arm may write after `?`: names, each with its allowed words (none: any text)."""


class FaceSpec(msgspec.Struct, frozen=True):
    """A way into a system: a path on one of its processes, and values for scenarios."""

    process: str = ""
    """The process that serves it, or whose server its program calls; empty if there is none."""
    path: str = ""
    variables: dict[str, str] = {}
    program: tuple[str, ...] = ()
    """The arguments of `mcp_targets/stdio.py`, by which each user starts a process."""


class System(msgspec.Struct, frozen=True):
    """A system under load. The processes that a face needs start together."""

    summary: str
    processes: tuple[Process, ...]
    faces: dict[str, FaceSpec]
    simulates: tuple[str, ...] = ()
    """The providers that its upstream simulator plays."""
    needs: tuple[str, ...] = ()
    """The packages that it imports and only the extra `systems` installs."""

    @property
    def simulators(self) -> list[str]:
        """The name of the process that plays its providers; at most one."""
        return [process.name for process in self.processes if process.module == "upstream"]

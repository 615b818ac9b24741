"""What a bundled system consists of: processes, and faces on them."""

import msgspec


class Process(msgspec.Struct, frozen=True):
    """A process: `python -m mcp_targets.<module>`.

    An argument `{name}` stands for the ready file of the system's process of that name.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    flags: dict[str, tuple[str, ...]] = {}
    """What an arm may say behind a `?`: names, and the words that each may be (none: any text)."""


class FaceSpec(msgspec.Struct, frozen=True):
    """A way into a system: a path on one of its processes, and what scenarios may look up."""

    process: str = ""
    """The one that serves it, or whose server its program calls; empty where it has none."""
    path: str = ""
    variables: dict[str, str] = {}
    program: tuple[str, ...] = ()
    """The arguments of `mcp_targets/stdio.py`, by which each user starts a process of its own."""


class System(msgspec.Struct, frozen=True):
    """A system under load. Those of its processes that a face needs start together."""

    summary: str
    processes: tuple[Process, ...]
    faces: dict[str, FaceSpec]
    simulates: tuple[str, ...] = ()
    """The providers that the upstream simulator plays in it."""
    needs: tuple[str, ...] = ()
    """The packages it imports that only the extra `systems` installs."""

    @property
    def simulators(self) -> list[str]:
        """The process that plays them, by name; at most one."""
        return [process.name for process in self.processes if process.module == "upstream"]

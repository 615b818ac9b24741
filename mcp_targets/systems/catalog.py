"""Which systems there are: their processes, their faces and what they simulate."""

from typing import Final

import msgspec

from mcp_targets.systems.dual_runtime import settings, upstreams
from mcp_targets.systems.twilio import accounts


class Process(msgspec.Struct, frozen=True):
    """A process: `python -m mcp_targets.systems.<module>`.

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
    """Empty where each user starts a process of its own, over stdio."""
    path: str = ""
    """On the process's server; of a stdio face, the program, from the folder of the systems."""
    variables: dict[str, str] = {}


class System(msgspec.Struct, frozen=True):
    """A system under load. Its processes start together."""

    summary: str
    processes: tuple[Process, ...]
    faces: dict[str, FaceSpec]
    simulates: tuple[str, ...] = ()
    """The providers that the upstream simulator plays in it."""

    @property
    def simulators(self) -> list[str]:
        """The process that plays them, by name; at most one."""
        return [process.name for process in self.processes if process.module == "upstream"]


SYSTEMS: Final = {
    "echo": System(
        "The calibration system: a tiny, fast server with a known latency.",
        (
            Process(
                "echo",
                "echo",
                flags={
                    "replies": ("json", "sse"),
                    "page-size": (),
                    "delay": (),
                    "seed": (),
                    "session-idle": (),
                },
            ),
        ),
        {"mcp": FaceSpec("echo", "/mcp"), "rest": FaceSpec("echo")},
    ),
    "twilio": System(
        "Twilio's REST API and an MCP server that wraps it, one tool per operation.",
        (
            Process("twilio-upstream", "upstream", ("--provider", "twilio")),
            Process("twilio-mcp", "twilio", ("--upstream-ready", "{twilio-upstream}")),
        ),
        {
            "mcp": FaceSpec("twilio-mcp", "/mcp", accounts.MCP.variables()),
            "rest": FaceSpec("twilio-upstream", "", accounts.REST.variables()),
        },
        simulates=("twilio",),
    ),
    "ladder": System(
        "One small tool behind an MCP server of the Python SDK: over HTTP, and over stdio.",
        (Process("ladder", "ladder", flags={"replies": ("json", "sse")}),),
        {"mcp": FaceSpec("ladder", "/mcp"), "stdio": FaceSpec(path="ladder/stdio.py")},
    ),
    "dual_runtime": System(
        "Peer-to-peer tools on two runtimes: bridged from asyncio per call, or native on Trio.",
        (
            Process("dual-upstream", "upstream", upstreams.SIMULATOR),
            Process(
                "dual-runtime",
                "dual_runtime",
                ("--upstream-ready", "{dual-upstream}"),
                flags={**settings.CHOICES, "limiter": (), "delay": ()},
            ),
        ),
        {"mcp": FaceSpec("dual-runtime", "/mcp"), "rest": FaceSpec("dual-runtime")},
        simulates=upstreams.UPSTREAMS,
    ),
}


def serving(system: System, process: str) -> list[str]:
    """Name a process of a system, and those whose ready files it is given: it calls them."""
    found = [process]
    for name in found:
        arguments = next(part.arguments for part in system.processes if part.name == name)
        found += [
            part.name
            for part in system.processes
            if f"{{{part.name}}}" in arguments and part.name not in found
        ]
    return found

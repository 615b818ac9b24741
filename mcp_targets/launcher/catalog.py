"""Which systems there are: their processes, their faces and what they simulate."""

from typing import Final

from mcp_targets.dual_runtime import settings
from mcp_targets.launcher.specs import FaceSpec, Process, System
from mcp_targets.serving.processes import providers
from mcp_targets.twilio import accounts

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
        {
            "mcp": FaceSpec("echo", "/mcp"),
            "rest": FaceSpec("echo"),
            "stdio": FaceSpec(program=("echo",)),
        },
    ),
    "twilio": System(
        "Twilio's REST API and an MCP server that wraps it, one tool per operation.",
        (
            Process("twilio-upstream", "upstream", providers(("twilio",))),
            Process("twilio-mcp", "twilio", ("--upstream-ready", "{twilio-upstream}")),
        ),
        {
            "mcp": FaceSpec("twilio-mcp", "/mcp", accounts.MCP.variables()),
            "rest": FaceSpec("twilio-upstream", "", accounts.REST.variables()),
            "stdio": FaceSpec(
                "twilio-upstream",
                variables=accounts.STDIO.variables(),
                program=("twilio", "--upstream-ready", "{twilio-upstream}"),
            ),
        },
        simulates=("twilio",),
        needs=("httpx", "mcp", "uvicorn"),
    ),
    "ladder": System(
        "One small tool behind an MCP server of the Python SDK: over HTTP, and over stdio.",
        (Process("ladder", "ladder", flags={"replies": ("json", "sse")}),),
        {"mcp": FaceSpec("ladder", "/mcp"), "stdio": FaceSpec(program=("ladder",))},
        needs=("mcp", "uvicorn"),
    ),
    "dual_runtime": System(
        "Peer-to-peer tools on two runtimes: bridged from asyncio per call, or native on Trio.",
        (
            Process("dual-upstream", "upstream", providers(settings.UPSTREAMS), flags={"rtt": ()}),
            Process(
                "dual-runtime",
                "dual_runtime",
                ("--upstream-ready", "{dual-upstream}"),
                flags={**settings.CHOICES, "limiter": (), "delay": ()},
            ),
        ),
        {
            "mcp": FaceSpec("dual-runtime", "/mcp"),
            "rest": FaceSpec("dual-runtime"),
            "stdio": FaceSpec(
                "dual-upstream",
                program=("dual_runtime.faces", "--upstream-ready", "{dual-upstream}"),
            ),
        },
        simulates=settings.UPSTREAMS,
        needs=(
            *("anyio", "fastapi", "filelock", "httpcore2", "hypercorn"),
            *("mcp", "numpy", "trio", "uvicorn"),
        ),
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

"""The catalog of systems: their processes, their faces and what they simulate."""

from typing import Final

from mcp_targets.business_tools import names
from mcp_targets.dual_runtime import settings
from mcp_targets.launcher.specs import FaceSpec, Process, System
from mcp_targets.serving.processes import providers
from mcp_targets.twilio import accounts

_BUSINESS: Final = (
    *("--upstream-ready", "{business-upstream}"),
    *("--database-ready", "{business-database}"),
)

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
    "business_tools": System(
        "A tool server that a company could run; each of its mechanisms can be switched off.",
        (
            Process(
                "business-upstream",
                "upstream",
                providers(names.PROVIDERS),
                flags={"rtt": (), "outage": ()},
            ),
            Process("business-database", "business_tools.database"),
            Process(
                "business-tools",
                "business_tools",
                _BUSINESS,
                flags={
                    **{name.replace("_", "-"): names.ON_OFF for name in names.SWITCHES},
                    "read-only": names.ON_OFF,
                    "redis": (),
                    "mongodb": (),
                    "replicas": (),
                    "restart.every": (),
                    "delay": (),
                    "errors": (),
                },
            ),
            Process("business-naive", "business_tools.faces", _BUSINESS),
        ),
        {
            "mcp": FaceSpec("business-tools", "/mcp"),
            "rest": FaceSpec("business-tools"),
            "naive": FaceSpec("business-naive", "/mcp"),
            "stdio": FaceSpec("business-upstream", program=("business_tools", *_BUSINESS)),
        },
        simulates=names.PROVIDERS,
        needs=(
            *("anyio", "authlib", "cashews", "cryptography", "fastapi", "httpx2", "limits"),
            *("mcp", "nx_27017", "pymongo", "redis"),
            *("tenacity", "uvicorn"),
        ),
    ),
}


def serving(system: System, face: FaceSpec) -> list[str]:
    """Return the names of a face's processes: the one that serves it, and all that it needs."""
    arguments = {part.name: part.arguments for part in system.processes}
    found = [face.process]
    for name in found:
        given = arguments[name] + (face.program if name == face.process else ())
        found += [other for other in arguments if f"{{{other}}}" in given and other not in found]
    return found

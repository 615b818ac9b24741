"""Serve over standard input and output: `python …/mcp_targets/stdio.py business_tools`."""

import argparse

import anyio
from mcp.server.stdio import stdio_server

from mcp_targets.business_tools import options
from mcp_targets.business_tools.faces import mcp_face
from mcp_targets.business_tools.system import BusinessTools
from mcp_targets.business_tools.telemetry import configure_logs


def main() -> None:
    """Read the options; serve until standard input ends."""
    parser = argparse.ArgumentParser()
    options.add(parser)
    given = parser.parse_args()
    configure_logs()
    with options.sources(given) as sources:
        anyio.run(_serve, BusinessTools(sources, given.audit_log))


async def _serve(system: BusinessTools) -> None:
    server = mcp_face.build(system)
    async with system.running(), stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

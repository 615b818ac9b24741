"""Serve over standard input and output: `python …/mcp_targets/stdio.py dual_runtime.faces`."""

import argparse

import anyio

from mcp_targets.dual_runtime import settings
from mcp_targets.dual_runtime.faces import mcp_face
from mcp_targets.dual_runtime.system import DualRuntime, started


def main() -> None:
    """Read the flags; start the upstreams if needed; serve until the input ends."""
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    with started(parser.parse_args()) as system:
        anyio.run(_serve, system, backend=system.settings.server)


async def _serve(system: DualRuntime) -> None:
    async with system.running():
        await mcp_face.build(system).run_stdio_async()

"""Serve over standard input and output: `python …/mcp_targets/stdio.py twilio`."""

import argparse

from mcp_targets.serving import processes
from mcp_targets.twilio import accounts
from mcp_targets.twilio.server import server
from mcp_targets.twilio.tools import PROVIDER


def main() -> None:
    """Start the upstream if needed; serve until standard input ends."""
    parser = argparse.ArgumentParser()
    processes.add_upstream(parser)
    with processes.upstream(("twilio",), parser.parse_args().upstream_ready) as addresses:
        PROVIDER.connect(addresses["twilio"], accounts.STDIO)
        server.run()

"""`python -m mcp_perf`: the command `mcp-perf`, where it is not on the path."""

from mcp_perf.cli.main import main

main(prog_name="mcp-perf")

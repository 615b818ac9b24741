"""`python -m locustfiles`: the command `mcp-perf`, where it is not on the path."""

from locustfiles._cli import main

main(prog_name="mcp-perf")

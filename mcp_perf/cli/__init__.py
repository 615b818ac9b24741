"""The command `mcp-perf`."""

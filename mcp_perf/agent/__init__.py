"""The agent benchmark: AI agents at the same tasks, with MCP and without, recorded and compared."""

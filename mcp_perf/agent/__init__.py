"""The agent benchmark: AI agents do the same tasks with MCP and without, and are compared."""

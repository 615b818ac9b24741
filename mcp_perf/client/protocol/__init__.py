"""Messages: what is said in each version of MCP, without I/O."""

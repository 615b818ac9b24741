"""Messages: what is said in MCP, and in which of its versions; without I/O."""

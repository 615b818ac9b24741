"""The ways in: MCP over HTTP and stdio, and REST."""

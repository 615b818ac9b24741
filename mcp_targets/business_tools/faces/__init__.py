"""The ways in: MCP, REST, and the same tools in the common bad way."""

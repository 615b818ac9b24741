"""MCP clients: sessions, calls, streams."""

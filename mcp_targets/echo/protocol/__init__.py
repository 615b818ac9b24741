"""The echo server's side of MCP: handshake, sessions, both eras."""

"""What the echo says of MCP: handshake, sessions, both eras."""

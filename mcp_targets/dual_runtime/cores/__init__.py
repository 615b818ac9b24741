"""What the tools do, callable from Python, REST and MCP alike."""

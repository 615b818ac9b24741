"""The MCP client: sans-I/O protocol core, transports, eras and the HTTP/1.1 engine."""

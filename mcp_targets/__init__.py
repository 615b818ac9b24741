"""WHAT is called: the MCP client, the control arm and the bundled systems."""

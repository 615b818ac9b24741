"""The Twilio system: the provider's API (simulated upstream) and an MCP server that wraps it."""

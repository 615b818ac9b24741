"""The callers: the MCP client and the HTTP client, without Locust or gevent."""

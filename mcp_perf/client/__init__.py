"""Who calls: the MCP client and the HTTP client, without Locust and gevent."""

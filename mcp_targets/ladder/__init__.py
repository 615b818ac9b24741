"""One small tool, to be called in every way there is: what the ways cost, not what the tool does.

The very function is called by itself, through an MCP server in memory, over stdio and over HTTP.
"""

"""One small tool, called in every possible way, to measure the ways rather than the tool.

The same function is called directly, through an MCP server in memory, over stdio and over HTTP.
"""

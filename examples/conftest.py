"""The pytest plugin of mcp-perf: `mcp_server` is one of its fixtures."""

pytest_plugins = ["mcp_perf.pytest_plugin.plugin"]
